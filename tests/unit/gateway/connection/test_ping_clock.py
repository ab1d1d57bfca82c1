"""When a client is asked whether it is there, and when it has had its time to answer."""

from __future__ import annotations

import math

from gateway.connection.ping_clock import PingClock


def test_it_asks_again_and_again_and_waits_from_the_first_one_without_an_answer() -> None:
    clock = PingClock(10, 20, now_s=0)
    assert (clock.due(9.9), clock.left_s(4)) == (False, 6)
    assert clock.due(10)
    clock.ask(10)
    clock.ask(20)
    assert (clock.left_s(20), clock.overdue(29.9), clock.overdue(30)) == (10, False, True)


def test_an_answer_is_enough_for_all_that_was_asked() -> None:
    clock = PingClock(10, 20, now_s=0)
    clock.ask(10)
    clock.ask(20)
    clock.answered()
    assert not clock.overdue(1000)
    clock.ask(30)
    assert (clock.overdue(49), clock.overdue(50)) == (False, True)


def test_who_was_not_read_has_its_whole_time_again() -> None:
    clock = PingClock(10, 20, now_s=0)
    clock.restart(5)
    assert clock.left_s(5) == 5
    clock.ask(10)
    clock.restart(29)
    assert (clock.overdue(48), clock.overdue(49)) == (False, True)


def test_a_client_that_is_never_asked_is_never_overdue() -> None:
    clock = PingClock(0, 0, now_s=0)
    assert not clock.due(1e9)
    assert not clock.overdue(1e9)
    assert clock.left_s(5) == math.inf
