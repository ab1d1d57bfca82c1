"""At a pace that no teacher has, words are right or not judged; at any other pace mistakes are told."""

from __future__ import annotations

import pytest

from shared.hearing import Phone
from shared.recitation.alignment.sound_units import HeardSound, heard_sound
from shared.recitation.grading.pace import ms_per_sound
from shared.recitation.live.follower import DEFAULT, Follower
from tests.unit.recitation.reciter import SOUND_MS, Said, Timeline, passage, place, speak, windows

SLOWEST_MS = DEFAULT.sounds.slowest_ms
ONE_WORD_ELSE: list[Said] = ["112:1:1-112:2:1", {"sounds": "m u b i: n"}, "112:3-4"]
ONE_LEFT_OUT: list[Said] = ["112:1:1-112:2:1", "112:3-4"]
CHANGED = 5
"""The word of which another one was made, or which was left out: the second of 112:2."""


def sounds(symbols: str, *starts_ms: int) -> list[HeardSound]:
    return [
        heard_sound(Phone(symbol, start, start + 40))
        for symbol, start in zip(symbols.split(), starts_ms, strict=True)
    ]


def slowed(timeline: Timeline, factor: float) -> Timeline:
    """The same sounds, each as many times later."""
    phones = tuple(
        Phone(phone.symbol, round(phone.start_ms * factor), round(phone.end_ms * factor))
        for phone in timeline.phones
    )
    return Timeline(phones, (), round(timeline.end_ms * factor), timeline.script)


def test_the_pace_is_the_median_time_from_sound_to_sound() -> None:
    assert ms_per_sound(sounds("q u l h u", 0, 100, 220, 320, 1500), 4) == 120


def test_what_is_held_by_rule_does_not_make_a_reciter_slow() -> None:
    held = sounds("l a: h u ll a m̃ b", 0, 100, 3100, 3200, 3300, 5300, 5400, 7400)
    assert ms_per_sound(held, 4) == 100


def test_of_a_few_sounds_no_pace_is_known() -> None:
    assert ms_per_sound(sounds("q u l", 0, 500, 900), 4) == 0
    assert ms_per_sound([], 4) == 0


@pytest.mark.parametrize("window_ms", [1000, 1500, 2500, 9000])
@pytest.mark.parametrize("said", [ONE_WORD_ELSE, ONE_LEFT_OUT])
def test_slower_than_anybody_recites_no_word_is_called_wrong(said: list[Said], window_ms: int) -> None:
    timeline = slowed(place(speak(said)), 1.5 * SLOWEST_MS / SOUND_MS)
    follower = Follower(passage("112"))
    for hearing in windows(timeline, "sounds", window_ms):
        states = {word.status for word in follower.hear(hearing).words}
        assert states <= {"correct", "pending", "not_judged"}
    states_by_word = [word.status for word in follower.finish().words]
    assert states_by_word[CHANGED] == "not_judged"
    assert states_by_word.count("correct") == len(states_by_word) - 1


@pytest.mark.parametrize("window_ms", [1000, 2500, 9000])
@pytest.mark.parametrize(("said", "status"), [(ONE_WORD_ELSE, "wrong"), (ONE_LEFT_OUT, "missing")])
def test_at_a_teachers_pace_mistakes_are_told(said: list[Said], status: str, window_ms: int) -> None:
    timeline = slowed(place(speak(said)), 0.9 * SLOWEST_MS / SOUND_MS)
    follower = Follower(passage("112"))
    for hearing in windows(timeline, "sounds", window_ms):
        follower.hear(hearing)
    assert follower.finish().words[CHANGED].status == status


def test_a_reciter_who_becomes_faster_is_judged_again() -> None:
    slow = slowed(place(speak(["112:1-2"])), 1.5 * SLOWEST_MS / SOUND_MS)
    follower = Follower(passage("112"))
    heard = list(windows(slow, "sounds", 2500))
    for hearing in heard:
        follower.hear(hearing)
    fast = place(speak(["112:3", {"sounds": "m u b i: n"}, "112:4:2-112:4:4"]), heard[-1].end_ms + 500)
    for hearing in windows(fast, "sounds", 2500):
        if hearing.end_ms > heard[-1].end_ms:
            follower.hear(hearing)
    states = [word.status for word in follower.finish().words]
    assert "wrong" in states[6:]
    assert "not_judged" not in states[6:]
