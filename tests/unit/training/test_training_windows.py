"""Random windows: features, labels, sounds and letters of one window belong together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from training.aligner import chain
from training.corpus import Recording, recording, symbol_ids
from training.passages import verse
from training.tokens import END, IGNORED, LETTERS, NO_SPEECH, VOCABULARY, letters_of, target, text_of
from training.windows import Cutter

FRAMES_A_SOUND = 8


def spoken(aya: int, words: tuple[str, ...]) -> Recording:
    """A verse of 112 in which every sound lasts 160 ms and shows its own symbol as level."""
    said = verse(112, aya)
    path = chain(symbol_ids(said))
    sounds = np.flatnonzero(~path.skippable)
    places = np.concatenate([np.repeat(sounds, FRAMES_A_SOUND), [path.states.size - 1] * 4])
    item = recording("voice", f"112:{aya}", said, path, places, words)
    rows = (np.repeat(path.states[places][:, None], 80, axis=1) / 10 - 4).astype(np.float16)
    item.copies = [(rows, 1.0)]
    return item


@pytest.fixture
def cutter() -> Cutter:
    verses = [spoken(1, ("قل", "هو", "الله", "احد")), spoken(2, ("الله", "الصمد"))]
    return Cutter(verses, seed=4)


def test_a_batch_has_one_length_and_a_target_for_every_window(cutter: Cutter) -> None:
    for _ in range(20):
        batch = cutter.batch(20.0)
        count, bands, frames = batch.features.shape
        assert bands == 80
        assert frames % 2 == 0
        assert batch.labels.shape == (count, frames // 2)
        assert len(batch.sounds) == len(batch.targets) == count
        assert np.isfinite(batch.features).all()


def test_the_sounds_of_a_window_are_among_its_frames(cutter: Cutter) -> None:
    heard = 0
    for _ in range(20):
        batch = cutter.batch(20.0)
        for labels, sounds in zip(batch.labels, batch.sounds, strict=True):
            runs = [label for label, _ in itertools.groupby(labels.tolist()) if label]
            missing = set(sounds) - set(runs)
            assert not missing
            heard += len(sounds)
    assert heard > 100


def test_the_same_seed_cuts_the_same_windows() -> None:
    verses = [spoken(1, ("قل", "هو", "الله", "احد"))]
    one, two = Cutter(verses, 9).batch(10.0), Cutter(verses, 9).batch(10.0)
    assert np.array_equal(one.features, two.features)
    assert one.targets == two.targets


def test_letters_and_back() -> None:
    assert text_of(letters_of("قل هو")) == "قل هو"
    assert letters_of("قُلْ") == letters_of("قل")
    assert set(LETTERS) <= set(VOCABULARY)


def test_silence_is_to_be_called_silence_and_unknown_text_teaches_nothing() -> None:
    assert target("", 0.0, timestamps=False).outputs == [NO_SPEECH, END]
    assert set(target(None, 0.0, timestamps=False).outputs) == {IGNORED}
