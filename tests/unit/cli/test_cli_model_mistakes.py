"""Deliberate mistakes made of recordings: what is cut, and what is expected of whom."""

from __future__ import annotations

import numpy as np
import pytest

from asr_worker.engines.scripted import Script, ScriptedEngine
from cli.modelling.listening import Listener
from shared.recitation.reference.passage import VerseRange
from training.mistakes import DRAWN, KINDS, PAUSE_S, Case, Scene, Tally, Verse, cases, judge, scenes
from training.passages import verse

RATE = 16_000
WORD = 1600
"""Every word of a made-up verse lasts 100 ms and sounds like a constant: its number."""


def made_up(sura: int, aya: int) -> Verse:
    words = tuple(word.sounds for word in verse(sura, aya))
    samples = np.repeat(np.arange(1, len(words) + 1) / 100, WORD).astype(np.float32)
    return Verse(sura, aya, samples, tuple(range(0, samples.size + 1, WORD)), words)


@pytest.fixture
def fatiha() -> list[Scene]:
    return scenes({(1, aya): made_up(1, aya) for aya in range(1, 8)}, 10, np.random.default_rng(1))


def scenes_of(sura: int, first: int, last: int) -> list[Scene]:
    verses = {(sura, aya): made_up(sura, aya) for aya in range(first, last + 1)}
    return scenes(verses, 10, np.random.default_rng(1))


def made(found: list[Scene], kind: str) -> list[tuple[Scene, Case]]:
    pairs = []
    for at, scene in enumerate(found):
        case = KINDS[kind](scene, np.random.default_rng(at))
        if case is not None:
            pairs.append((scene, case))
    assert pairs
    return pairs


def test_scenes_have_neighbours_and_long_middles(fatiha: list[Scene]) -> None:
    assert [(scene.before.aya, scene.here.aya, scene.after.aya) for scene in fatiha] == [(1, 2, 3), (4, 5, 6)]


def test_the_same_seed_makes_the_same_mistakes(fatiha: list[Scene]) -> None:
    first, second = list(cases(fatiha, 3)), list(cases(fatiha, 3))
    assert [(kind, case.mistaken) for kind, case in first] == [(kind, case.mistaken) for kind, case in second]
    assert all(np.array_equal(a.samples, b.samples) for (_, a), (_, b) in zip(first, second, strict=True))


@pytest.mark.parametrize(("kind", "change"), [("clean", 0), ("skip_word", -1), ("swap_word", 0)])
def test_a_mistake_changes_the_audio_by_whole_words(fatiha: list[Scene], kind: str, change: int) -> None:
    for scene, case in made(fatiha, kind):
        words = sum(len(part.words) for part in (scene.before, scene.here, scene.after)) + change
        pauses = 3 * round(PAUSE_S * RATE)
        assert case.samples.size == words * WORD + pauses
        assert case.verses == VerseRange.of(1, scene.before.aya, scene.after.aya)
        assert len(case.mistaken) == (0 if kind == "clean" else 1)


def test_repeats_and_stopping_are_no_mistakes(fatiha: list[Scene]) -> None:
    for kind in ("repeat_phrase", "stop_early"):
        assert all(not case.mistaken for _, case in made(fatiha, kind))
    for scene, case in made(fatiha, "stop_early"):
        assert {aya for aya, _ in case.unsaid} >= {scene.after.aya}


def test_a_left_out_verse_is_all_mistaken(fatiha: list[Scene]) -> None:
    for scene, case in made(fatiha, "skip_verse"):
        assert case.mistaken == {(scene.here.aya, at + 1) for at in range(len(scene.here.words))}
        assert case.unclear == frozenset()


def test_a_verse_whose_absence_nobody_could_hear_is_not_left_out() -> None:
    # 1:3 after 1:1 passes for its end said again; 109:5 is 109:3.
    found = [*scenes_of(1, 1, 3), *scenes_of(109, 3, 5)]
    assert [KINDS["skip_verse"](scene, np.random.default_rng(1)) for scene in found] == [None, None]


def test_equal_words_around_a_left_out_verse_are_not_counted() -> None:
    # 97:1 and 97:2 end in the same two words: which pair was left out?
    (scene,) = scenes_of(97, 1, 3)
    case = KINDS["skip_verse"](scene, np.random.default_rng(1))
    assert case is not None
    assert case.mistaken == {(2, 1), (2, 2), (2, 3)}
    assert case.unclear >= {(1, 4), (1, 5), (2, 4), (2, 5)}
    tally = Tally()
    judge(Listener(ScriptedEngine(Script())), case, tally)
    words = sum(len(part.words) for part in (scene.before, scene.here, scene.after))
    assert tally.mistaken.total() + tally.innocent.total() == words - len(case.unclear)


def test_more_draws_make_more_cases(fatiha: list[Scene]) -> None:
    assert {kind for kind, _ in cases(fatiha, 2, DRAWN)} == set(DRAWN)


def test_an_engine_that_hears_nothing_accuses_nobody(fatiha: list[Scene]) -> None:
    tally = Tally()
    judge(Listener(ScriptedEngine(Script())), made(fatiha, "clean")[0][1], tally)
    assert tally.rates()["false_alarms"] == 0
    assert tally.rates()["reported"] is None
