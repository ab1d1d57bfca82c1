"""Lag: audio that came since the oldest window without an answer was complete."""

from __future__ import annotations

from gateway.session.lag import Lag


def test_nothing_waits_nothing_lags() -> None:
    lag = Lag()
    assert lag.samples(16_000) == 0
    lag.cut(None, 16_000)  # silence
    assert lag.samples(160_000) == 0


def test_the_oldest_window_without_an_answer_counts() -> None:
    lag = Lag()
    lag.cut(0, 16_000)
    lag.cut(1, 32_000)
    assert lag.samples(40_000) == 24_000
    lag.answered(0)
    assert lag.samples(40_000) == 8_000
    lag.answered(1)
    lag.answered(1)
    assert lag.samples(40_000) == 0


def test_a_window_that_may_not_be_cut_is_late_from_when_it_was_complete() -> None:
    lag = Lag()
    lag.cut(0, 16_000)
    lag.hold(32_000)
    lag.hold(48_000)
    lag.answered(0)
    assert lag.samples(64_000) == 32_000
    lag.cut(1, 64_000)
    assert lag.samples(64_000) == 32_000, "cut late, it is as late as before"
    lag.answered(1)
    lag.cut(2, 80_000)
    assert lag.samples(80_000) == 0
