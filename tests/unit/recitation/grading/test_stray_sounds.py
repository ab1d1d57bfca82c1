"""Sounds that fit no word: part of what was said instead of a word, or of none."""

from __future__ import annotations

import pytest

from shared.hearing import Phone
from shared.recitation.alignment.sound_units import HeardSound, heard_sound
from shared.recitation.alignment.visits import PathEvents, Visit, read_path
from shared.recitation.alignment.viterbi import ViterbiAligner
from shared.recitation.grading.grader import CORRECT, MINOR, WRONG, Verdict
from shared.recitation.grading.policy import DEFAULT
from shared.recitation.grading.sound_grader import SoundGrader
from shared.recitation.grading.stray_sounds import assign_strays, strays_still_open
from shared.recitation.report.review import review
from tests.unit.recitation.reciter import Said, passage, place, speak, windows

VERSES = "113:2"
"""miŋ ʃarri ma: xalaqQ"""


def heard(sounds: str) -> list[HeardSound]:
    return [heard_sound(Phone(s, at * 100, at * 100 + 80)) for at, s in enumerate(sounds.split())]


def aligned(sounds: str) -> tuple[SoundGrader, PathEvents, list[HeardSound]]:
    grader, units = SoundGrader(passage(VERSES), DEFAULT), heard(sounds)
    aligner = ViterbiAligner(grader.reference, grader.costs, 0, 0, grader.reference.words)
    return grader, read_path(grader.reference, aligner.path(units)), units


def owners(sounds: str) -> dict[int | None, str]:
    """The words that strays belong to, and these strays."""
    grader, events, units = aligned(sounds)
    visits = events.visits
    verdicts: list[Verdict | None] = [grader.judge(visit, units, 0.0) for visit in visits]
    owned = assign_strays(grader, events, visits, verdicts, units)
    return {
        grader.reference.word_index[visits[at].word]: " ".join(units[unit].symbol for unit in found)
        for at, found in owned.items()
    }


@pytest.mark.parametrize(
    ("sounds", "owned"),
    [
        ("m i ŋ ʃ a rr i m a: x a l a q Q", {}),
        ("m i ŋ ʃ a rr i l m a ŋ f u: ʃ x a l a q Q", {2: "l ŋ f u: ʃ"}),
        # Of two words heard equally well, the shorter one.
        ("m i ŋ ʃ a rr i m a: t u s x a l a q Q", {2: "t u s"}),
        # The one heard worse, even if it is longer.
        ("m i ŋ ʃ a rr i m a: t u s b a l a f Q", {3: "t u s"}),
        # Before the first word and after the last they are nobody's.
        ("t u s m i ŋ ʃ a rr i m a: x a l a q Q t u s", {}),
        # A vowel alone is a drawl.
        ("m i ŋ ʃ a rr i u: m a: x a l a q Q", {}),
        # A false start: the reciter goes back.
        ("m i ŋ ʃ a rr i m a: t u s ʃ a rr i m a: x a l a q Q", {}),
    ],
)
def test_whose_strays_are(sounds: str, owned: dict[int | None, str]) -> None:
    assert owners(sounds) == owned


def test_strays_at_the_end_keep_the_word_before_them_open() -> None:
    grader, events, units = aligned("m i ŋ ʃ a rr i m a ŋ f u:")
    assert strays_still_open(grader, events, events.visits, units)
    grader, events, units = aligned("m i ŋ ʃ a rr i m a:")
    assert not strays_still_open(grader, events, events.visits, units)
    grader, events, units = aligned("m i ŋ ʃ a rr i m a: x a l a q Q t u s")
    ends = [
        at for at, visit in enumerate(events.visits, start=1) if grader.reference.word_index[visit.word] == 3
    ]
    assert not strays_still_open(grader, events, events.visits[: ends[-1]], units)


def grade_with_strays(sounds: str, strays: int, noise: float | None) -> int | None:
    """The grade of `ma:` heard as these sounds, the last so many of them strays; None: unchanged."""
    grader, units = SoundGrader(passage(VERSES), DEFAULT), heard(sounds)
    word = next(at for at, index in enumerate(grader.reference.word_index) if index == 2)
    start, own = int(grader.reference.starts[word]), len(units) - strays
    visit = Visit(word, tuple((start + at, at) for at in range(own)), ())
    alone = grader.judge(visit, units, noise)
    assert alone is not None
    whole = Visit(word, visit.matched, (), tuple(range(own, len(units))))
    verdict = grader.judge_with_strays(alone, whole, units, noise)
    assert verdict is None or verdict.heard == sounds
    return None if verdict is None else verdict.grade


def test_strays_make_a_short_word_wrong() -> None:
    assert grade_with_strays("m a: ŋ f u: ʃ", 4, noise=0.0) == WRONG
    assert grade_with_strays("m a: ŋ", 1, noise=0.0) is None


def test_in_a_badly_heard_voice_strays_make_a_minor_mistake_at_most() -> None:
    assert grade_with_strays("m a: ŋ f u: ʃ t a m", 7, noise=0.3) == MINOR
    assert grade_with_strays("b a: ŋ f u: ʃ t a m", 7, noise=0.3) in (None, MINOR)


def test_a_word_of_many_sounds_heard_well_is_not_given_up() -> None:
    grader, units = SoundGrader(passage(VERSES), DEFAULT), heard("x a l a q t u s k u f i n b a d u m")
    word = next(at for at, index in enumerate(grader.reference.word_index) if index == 3)
    start = int(grader.reference.starts[word])
    visit = Visit(word, tuple((start + at, at) for at in range(5)), ())
    alone = grader.judge(visit, units, 0.0)
    assert alone is not None
    assert alone.grade == CORRECT
    whole = Visit(word, visit.matched, (), tuple(range(5, len(units))))
    assert grader.judge_with_strays(alone, whole, units, 0.0) is None


@pytest.mark.parametrize("start_ms", range(0, 2_000, 200))
def test_wherever_the_windows_are_cut(start_ms: int) -> None:
    """Neither the end of a window inside the foreign word nor the settling behind it may hide it."""
    said: list[Said] = ["109:1", "109:2:1-109:2:2", {"sounds": "l m i s k i: n a"}, "109:2:4-109:6:4"]
    words = review(passage("109"), windows(place(speak(said), start_ms), "sounds")).words
    assert [word.index for word in words if word.status != "correct"] == [5]
    assert words[5].status == "wrong"
