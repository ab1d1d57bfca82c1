"""How long a connection may go on without audio."""

from __future__ import annotations

from gateway.connection.idle_clock import LEAST_SAMPLES, STAY_S, IdleClock


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


def test_who_says_that_it_stays_keeps_its_place_for_a_while_and_not_for_ever() -> None:
    clock = IdleClock(first_s=20, idle_s=60, now_s=0)
    for second in range(0, int(2 * STAY_S), 5):
        clock.stay(second)
    assert clock.left_s(STAY_S) > 0
    assert clock.left_s(STAY_S + 20) <= 0


def test_audio_gives_who_stays_its_time_again() -> None:
    clock = IdleClock(first_s=20, idle_s=60, now_s=0)
    clock.hear(LEAST_SAMPLES, STAY_S - 1)
    clock.stay(STAY_S + 50)
    assert clock.left_s(STAY_S + 100) == 10
