"""Windows cut while training: sound, teacher's states, sounds and letters belong together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from asr_worker.engines.ctc_head import CtcHead
from shared.audio.features import FeatureConfig
from training.audio import SAMPLE_RATE
from training.taught.speech import Part, Speech, Spoken
from training.taught.windows import Cutter
from training.tokens import IGNORED, text_of
from training.voices import SYNTHETIC_PREFIX

SYMBOLS = 20
FRAMES_A_SOUND = 4
FRAME_S = 0.04
FRAME = round(FRAME_S * SAMPLE_RATE)
HEAD = CtcHead(
    np.eye(SYMBOLS, dtype=np.float32), np.zeros(SYMBOLS, np.float32), tuple(map(str, range(SYMBOLS))), 0, 40
)


def speech(texts: bool = True, clips: int = 6, voice: str = "somebody") -> Speech:
    """Clips of 40 sounds; the teacher's state of a frame is the sound that is heard in it."""
    rng = np.random.default_rng(1)
    listed: list[Spoken] = []
    states: list[np.ndarray] = []
    length = 40 * FRAMES_A_SOUND
    for number in range(clips):
        sounds = [1 + (number + place * 7) % (SYMBOLS - 1) for place in range(40)]
        rows = np.zeros((length, SYMBOLS), np.float16)
        rows[np.arange(length), np.repeat(sounds, FRAMES_A_SOUND)] = 10.0
        states.append(rows)
        moments = [(place + 0.5) * FRAMES_A_SOUND * FRAME_S for place in range(40)]
        words = [("قل", moments[at], moments[at + 3]) for at in range(0, 40, 4)]
        spoken = Spoken(
            f"1:{number + 1}",
            voice,
            number * length * FRAME,
            length * FRAME,
            number * length,
            sounds,
            moments,
            words if texts else None,
            -0.1,
        )
        listed.append(spoken)
    pcm = (3000 * rng.standard_normal(clips * length * FRAME)).astype(np.int16)
    part = Part(pcm, np.concatenate(states))
    return Speech(listed, [part] * clips, SYMBOLS)


@pytest.fixture(params=[320, 160], ids=["20 ms", "10 ms"])
def features(request: pytest.FixtureRequest) -> FeatureConfig:
    """The student's features; the teacher's frames are two of 20 ms."""
    return FeatureConfig(n_mels=80, hop_length=request.param)


@pytest.fixture(params=[0.0, 1.0], ids=["recited", "spliced"])
def cutter(request: pytest.FixtureRequest, features: FeatureConfig) -> Cutter:
    return Cutter(speech(), HEAD, seed=4, spliced_share=request.param, features=features)


def test_a_batch_has_one_length_and_everything_for_each_window(cutter: Cutter) -> None:
    for _ in range(20):
        batch = cutter.batch(20.0)
        count, bands, frames = batch.features.shape
        assert bands == 80
        assert frames % 2 == 0
        assert batch.features.dtype == np.float32
        assert batch.states.shape == (count, frames // 2, SYMBOLS)
        assert batch.taught.shape == (count, frames // 2)
        assert len(batch.sounds) == len(batch.targets) == count
        assert np.isfinite(batch.features).all()


def test_what_the_teacher_hears_in_a_window_is_what_is_said_in_it(cutter: Cutter) -> None:
    compared = 0
    for _ in range(20):
        batch = cutter.batch(20.0)
        for states, taught, sounds in zip(batch.states, batch.taught, batch.sounds, strict=True):
            frames = np.where(taught, states.argmax(axis=-1), 0)
            runs = [sound for sound, _ in itertools.groupby(frames[frames > 0].tolist())]
            # A sound whose middle is outside of the window may still be heard at its edge. Of two equal
            # sounds in a row, where words were put together, one is seen here.
            said = [sound for sound, _ in itertools.groupby(sounds)]
            assert "".join(map(chr, said)) in "".join(map(chr, runs))
            assert len(runs) <= len(sounds) + 8
            compared += len(sounds)
    assert compared > 500


def test_a_window_is_as_long_whatever_its_features(cutter: Cutter, features: FeatureConfig) -> None:
    for _ in range(10):
        count, _, frames = cutter.batch(20.0).features.shape
        assert count * frames * features.hop_length / SAMPLE_RATE == pytest.approx(20.0, rel=0.6)


def test_words_are_written_where_most_of_them_is_inside(cutter: Cutter) -> None:
    for _ in range(10):
        batch = cutter.batch(20.0)
        for sounds, target in zip(batch.sounds, batch.targets, strict=True):
            words = text_of(target.inputs[2:]).split()
            assert set(words) <= {"قل"}
            assert abs(4 * len(words) - len(sounds)) <= 12


def test_unknown_letters_carry_no_loss() -> None:
    cutter = Cutter(speech(texts=False), HEAD, seed=5)
    batch = cutter.batch(40.0)
    for sounds, target in zip(batch.sounds, batch.targets, strict=True):
        assert not sounds or set(target.outputs) == {IGNORED}


def test_the_same_seed_cuts_the_same_windows() -> None:
    first, second = (Cutter(speech(), HEAD, seed=6).batch(20.0) for _ in range(2))
    assert np.array_equal(first.features, second.features)
    assert first.sounds == second.sounds


def test_spliced_words_come_in_an_order_that_nobody_recited() -> None:
    """In the clips each sound is 7 after the one before; between spliced words it is not."""

    def shares_in_order(spliced_share: float) -> float:
        cutter, pairs = Cutter(speech(), HEAD, seed=7, spliced_share=spliced_share), list[bool]()
        for _ in range(10):
            for sounds in cutter.batch(30.0).sounds:
                pairs += [(b - a) % (SYMBOLS - 1) == 7 for a, b in itertools.pairwise(sounds)]
        return sum(pairs) / len(pairs)

    assert shares_in_order(0.0) > 0.95
    assert 0.6 < shares_in_order(1.0) < 0.95


def test_synthetic_voices_are_not_spliced() -> None:
    """They say words in any order as it is."""
    voice = f"{SYNTHETIC_PREFIX}1"
    recited, spliced = (
        Cutter(speech(voice=voice), HEAD, seed=8, spliced_share=share) for share in (0.0, 1.0)
    )
    assert recited.batch(20.0).sounds == spliced.batch(20.0).sounds
