"""How long a connection may go on without audio."""

from __future__ import annotations

from gateway.connection.idle_clock import LEAST_SAMPLES, IdleClock


def test_until_the_first_audio_there_is_less_time() -> None:
    clock = IdleClock(first_s=20, idle_s=60, now_s=0)
    assert clock.left_s(5) == 15
    clock.hear(LEAST_SAMPLES, 10)
    assert (clock.left_s(15), clock.limit_s) == (55, 60)


def test_a_short_idle_time_holds_for_the_first_audio_too() -> None:
    assert IdleClock(first_s=20, idle_s=5, now_s=0).left_s(0) == 5


def test_a_few_samples_now_and_then_are_no_sign_of_life() -> None:
    clock = IdleClock(first_s=20, idle_s=60, now_s=0)
    for second in range(1, 20):
        clock.hear(1, second)
    assert clock.left_s(20) == 0
    clock.hear(LEAST_SAMPLES, 19)
    assert clock.left_s(20) == 59


def test_who_was_not_read_starts_anew() -> None:
    clock = IdleClock(first_s=20, idle_s=60, now_s=0)
    clock.restart(18)
    assert clock.left_s(20) == 18
