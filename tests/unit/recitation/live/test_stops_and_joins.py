"""Wherever a reciter stops and whatever is joined, every word is right, in windows of any length."""

from __future__ import annotations

import random

import pytest
from quranic_phonemizer import Phonemizer

from shared.hearing import Phone
from shared.recitation.report.review import review
from tests.unit.recitation.reciter import SOUND_MS, Timeline, passage, windows

PHONEMIZER = Phonemizer()
PASSAGES = ("1:1-7", "112:1-4", "2:1-5", "55:1-6", "78:1-12")


def recited(verses: str, stops: float, chance: random.Random) -> Timeline:
    """Every sound of the passage, with a stop after this share of its words and nowhere else."""
    words = passage(verses).words
    first, last = words[0].verse.key, words[-1].verse.key
    stopped = [f"{w.verse.key}:{w.position}" for w in words if chance.random() < stops]
    analysis = PHONEMIZER.analyse(f"{first}-{last}", stop_refs=stopped)
    sounds = [analysis.sounds[sound.value].token for word in analysis.words for sound in word.sound_ids]
    phones = tuple(Phone(sound, 300 + at * SOUND_MS, 380 + at * SOUND_MS) for at, sound in enumerate(sounds))
    return Timeline(phones, (), 600 + len(sounds) * SOUND_MS, "uthmani")


@pytest.mark.parametrize("verses", PASSAGES)
@pytest.mark.parametrize("stops", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("window_ms", [1000, 1500, 2500, 9000])
def test_both_readings_of_every_word_border_are_right(verses: str, stops: float, window_ms: int) -> None:
    timeline = recited(verses, stops, random.Random(f"{verses} {stops}"))
    feedback = review(passage(verses), windows(timeline, "sounds", window_ms))
    assert [(w.index, w.status, w.heard) for w in feedback.words if w.status != "correct"] == []
    assert feedback.extra_words == ()
    assert feedback.repeats == ()
    assert feedback.completed


def test_what_was_expected_is_told_in_the_pronunciation_that_was_heard() -> None:
    feedback = review(passage("112:1-2"), windows(recited("112:1-2", 0.0, random.Random(0)), "sounds"))
    assert feedback.words[3].expected == feedback.words[3].heard == "ʔ a ħ a d u n i"


@pytest.mark.parametrize("window_ms", [1000, 1500, 2500, 5000])
@pytest.mark.parametrize("held_ms", [5000, 9000])
def test_a_vowel_held_over_many_windows_is_one_vowel(window_ms: int, held_ms: int) -> None:
    """A recogniser hears it in every window that it fills; the word is right and as long as it was."""
    timeline = recited("113:1-2", 0.0, random.Random(0))
    at = next(at for at, phone in enumerate(timeline.phones) if phone.symbol == "a:")
    began_ms = timeline.phones[at].start_ms
    held = [
        Phone("a:" if piece % 3 else "aˤ:", phone_ms, phone_ms + 60)
        for piece, phone_ms in enumerate(range(began_ms, began_ms + held_ms, window_ms - 500))
    ]
    later = [
        Phone(phone.symbol, phone.start_ms + held_ms, phone.end_ms + held_ms)
        for phone in timeline.phones[at + 1 :]
    ]
    longer = Timeline((*timeline.phones[:at], *held, *later), (), timeline.end_ms + held_ms, "uthmani")
    feedback = review(passage("113:1-2"), windows(longer, "sounds", window_ms))
    assert {word.status for word in feedback.words} == {"correct"}
    assert max((word.end_ms or 0) - (word.start_ms or 0) for word in feedback.words) >= held_ms - window_ms
