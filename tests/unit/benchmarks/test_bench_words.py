"""From events to delays: when a word was said, shown and settled."""

from __future__ import annotations

from benchmarks.words import WordBrief, WordTimes, shares_of


def test_delays_are_from_the_end_of_the_word() -> None:
    times = WordTimes()
    times.note([WordBrief("pending"), WordBrief("pending")], 0.9)
    times.note([WordBrief("correct", end_time=0.8), WordBrief("pending")], 1.3)
    times.note([WordBrief("correct", final=True, end_time=0.75), WordBrief("wrong", end_time=1.6)], 2.0)
    shown, settled = times.delays_ms()
    assert [round(one) for one in shown] == [550, 400]
    assert [round(one) for one in settled] == [1250]


def test_a_word_that_was_not_said_has_no_delay() -> None:
    times = WordTimes()
    times.note([WordBrief("missing", final=True), WordBrief("correct", end_time=1.0)], 1.5)
    assert times.delays_ms() == ([500.0], [])


def test_a_table_is_of_one_reciter_half_the_capacity_and_all_of_it() -> None:
    assert shares_of(300) == (1, 150, 300)
    assert shares_of(1) == (1,)
    assert shares_of(0) == ()
