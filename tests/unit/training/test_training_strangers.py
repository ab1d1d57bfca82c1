"""Figures of what was never trained on."""

from __future__ import annotations

from shared.hearing import Hearing, Phone
from training.strangers import Tally, joined


def window(start_ms: int, *sounds: tuple[str, int]) -> Hearing:
    """A window of 2.5 s with sounds of 80 ms at session times."""
    phones = tuple(Phone(symbol, at, at + 80, 0.9) for symbol, at in sounds)
    return Hearing(start_ms=start_ms, end_ms=start_ms + 2500, phones=phones)


def test_sounds_that_two_windows_heard_count_once() -> None:
    first = window(0, ("q", 100), ("u", 300), ("l", 2100), ("h", 2250))
    second = window(2000, ("l", 2110), ("h", 2260), ("u", 2600))

    assert joined([first, second]) == ["q", "u", "l", "h", "u"]


def test_windows_in_which_nothing_was_heard_add_nothing() -> None:
    assert joined([window(0), window(2000, ("b", 2600)), window(4000)]) == ["b"]


def test_rates_are_shares_of_sounds_and_words() -> None:
    rates = Tally(clips=2, edits=5, sounds=50, words=20, correct=18, accused=1).rates()
    assert rates == {"clips": 2, "per": 0.1, "words": 20, "correct": 0.9, "false_alarms": 0.05}
    assert Tally().rates()["per"] == 0.0
