"""Grades: lenient on what recognisers miss, firm on a different word, aware of word length."""

from __future__ import annotations

import pytest

from shared.hearing import Phone
from shared.recitation.alignment.phoneme_costs import DISTANCE, DISTANCES, INVENTORY, distance, sound_id
from shared.recitation.alignment.sound_units import heard_sound
from shared.recitation.alignment.visits import read_path
from shared.recitation.alignment.viterbi import ViterbiAligner
from shared.recitation.grading.grader import CORRECT, MINOR, WRONG, Verdict
from shared.recitation.grading.policy import DEFAULT, WordGrading
from shared.recitation.grading.smoothing import UNTOUCHED, Evidence, WordState, next_state
from shared.recitation.grading.sound_grader import SoundGrader
from shared.recitation.grading.text_grader import grade_word
from tests.unit.recitation.reciter import passage

MUSTAQIM = "l m u s t a q i: m"


def judged(heard: str, confidence: float = 1.0, noise: float | None = 0.0) -> int | None:
    """The grade of 1:6:3 (al-mustaqim) when these sounds were heard between its neighbours."""
    reference = passage("1:6-7")
    grader = SoundGrader(reference, DEFAULT)
    before, after = reference.words[1].phones, reference.words[3].phones
    sounds = [(symbol, 1.0) for symbol in before]
    sounds += [(symbol, confidence) for symbol in heard.split()]
    sounds += [(symbol, 1.0) for symbol in after]
    units = [heard_sound(Phone(s, at * 100, at * 100 + 80, c)) for at, (s, c) in enumerate(sounds)]
    start = next(at for at, index in enumerate(grader.reference.word_index) if index == 1)
    aligner = ViterbiAligner(
        grader.reference, grader.costs, int(grader.reference.starts[start]), 0, grader.reference.words
    )
    verdicts = [
        grader.judge(visit, units, noise)
        for visit in read_path(grader.reference, aligner.path(units)).visits
        if grader.reference.word_index[visit.word] == 2
    ]
    assert len(verdicts) <= 1
    return verdicts[0].grade if verdicts and verdicts[0] is not None else None


@pytest.mark.parametrize(
    ("heard", "grade"),
    [
        (MUSTAQIM, CORRECT),
        ("l m u s t a q i m", CORRECT),
        ("l m u sˤ t a k i: m", CORRECT),
        ("m u s t a q i: m", CORRECT),
        ("l m u s t a q i: m u", CORRECT),
        ("l m u s t a b i: m", CORRECT),
        ("l m u ʃ t a f i: b", WRONG),
        ("m u ʔ m i n i: n", WRONG),
    ],
)
def test_a_word_by_its_sounds(heard: str, grade: int) -> None:
    assert judged(heard) == grade


def test_doubtful_sounds_count_less() -> None:
    assert judged("l m u ʃ t a f i: b", confidence=0.2) in (CORRECT, MINOR)


def test_a_badly_heard_voice_is_given_more_room() -> None:
    assert judged("l m u ʃ t a f i: b", noise=0.3) in (CORRECT, MINOR)


def test_a_voice_not_known_yet_is_not_accused_as_soon() -> None:
    half_wrong = "l m u ʃ t a f i: b"
    assert (judged(half_wrong), judged(half_wrong, noise=None)) == (WRONG, MINOR)
    assert judged("m u ʔ m i n i: n", noise=None) == WRONG


def test_a_word_not_said_is_not_judged() -> None:
    assert judged("") is None


def test_distances_are_symmetric_and_zero_only_on_the_diagonal() -> None:
    assert (DISTANCE == DISTANCE.T).all()
    assert all(
        (DISTANCES[a][b] == 0) == (a == b) for a in range(len(INVENTORY)) for b in range(len(INVENTORY))
    )
    assert distance("r", "rˤ") < distance("s", "sˤ") < distance("b", "s")
    assert distance("a", "a:") < distance("a", "i") < distance("a", "b")
    assert distance("l", "ll") < distance("l", "bb")
    assert sound_id("no such sound") == 0


@pytest.mark.parametrize(
    ("heard", "expected", "grade"),
    [
        ("المستقيم", "المستقيم", CORRECT),
        ("المستكيم", "المستقيم", MINOR),
        ("المستميد", "المستقيم", MINOR),
        ("الكتاب", "المستقيم", WRONG),
        ("رب", "رب", CORRECT),
        ("رت", "رب", WRONG),
        ("كل", "قل", MINOR),
        ("قال", "قل", MINOR),
        ("ملك", "مَـٰلِكِ", CORRECT),
        ("مالك", "مَـٰلِكِ", CORRECT),
        ("قال", "قُلْ", MINOR),
        ("عمل", "أَعْمَلَ", MINOR),
        ("ملك", "مالك", MINOR),
        ("نعبد", "نعبس", MINOR),
        ("نعب", "نعبس", MINOR),
        ("يلد", "يولد", MINOR),
    ],
)
def test_a_word_by_its_letters(heard: str, expected: str, grade: int) -> None:
    assert grade_word(heard, expected, WordGrading())[0] == grade


def verdict(grade: int) -> Verdict:
    assert grade in (0, 1, 2)
    return Verdict(CORRECT if grade == 0 else MINOR if grade == 1 else WRONG, grade * 40, 90, "", 0, 100)


def after(*evidence: Evidence) -> WordState:
    state = UNTOUCHED
    for item in evidence:
        state = next_state(state, item, agreeing_windows=2)
    return state


def seen(grade: int | None, past: bool = False, passed_over: bool = False) -> Evidence:
    return Evidence(None if grade is None else verdict(grade), past, passed_over)


def test_correct_is_shown_at_once_and_final_when_confirmed() -> None:
    assert (after(seen(0)).status, after(seen(0)).final) == ("correct", False)
    assert after(seen(0), seen(0)).final
    assert after(seen(0, past=True)).final


def test_wrong_is_shown_only_when_two_windows_agree_or_the_reciter_has_gone_on() -> None:
    assert after(seen(2)).status == "pending"
    assert after(seen(2), seen(1)).status == "pending"
    shown = after(seen(2), seen(2))
    assert (shown.status, shown.final) == ("wrong", False)
    assert after(seen(2, past=True)).final


def test_missing_needs_distance_and_something_said_behind() -> None:
    assert after(seen(None)) == UNTOUCHED
    assert after(seen(None, past=True)) == UNTOUCHED
    assert after(seen(None, past=True, passed_over=True)).status == "missing"


def test_a_final_state_only_heals() -> None:
    final = after(seen(0, past=True))
    assert next_state(final, seen(2, past=True), 2) == final
    assert next_state(final, seen(None, past=True, passed_over=True), 2) == final
    assert after(seen(2, past=True), seen(1)).status == "minor_mistake"
    assert after(seen(2, past=True), seen(0)).status == "correct"
    assert after(seen(None, True, True), seen(0)).status == "correct"


def test_what_is_taken_back_is_pending_again() -> None:
    assert after(seen(0), seen(None)) == UNTOUCHED
