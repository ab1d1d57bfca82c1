"""A socket is held as long as its client takes what was sent, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shared.service.unsent_answer import LEAST_BYTES_PER_S, UnsentAnswer

TIMEOUT_S = 20.0


class Unread(asyncio.Transport):
    """Says how much waits to be sent."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self._sizes = list(sizes)

    def get_write_buffer_size(self) -> int:
        return self._sizes.pop(0) if len(self._sizes) > 1 else self._sizes[0]


class Ticket:
    """A timer that the test runs out by itself."""

    def cancel(self) -> None:
        return


class ScriptedTimers:
    """Keeps what is to be called later, and calls it when the test says so."""

    def __init__(self) -> None:
        self._due: list[Callable[[], object]] = []

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Ticket:
        assert delay == TIMEOUT_S
        self._due.append(callback)
        return Ticket()

    def run_out(self) -> None:
        due, self._due = self._due, []
        for callback in due:
            callback()


def given_up(*sizes: int, moves: bool = False) -> bool:
    """Whether a socket is given up at its first look. `sizes`: what waits, each time it is looked at."""
    calls: list[str] = []
    timers = ScriptedTimers()
    unsent = UnsentAnswer(TIMEOUT_S, lambda: calls.append("unread"))
    unsent.begin(timers, Unread(*sizes))
    unsent.watch()
    if moves:
        unsent.moved()
    timers.run_out()
    unsent.end()
    return bool(calls)


LEAST = int(LEAST_BYTES_PER_S * TIMEOUT_S)


@pytest.mark.parametrize(
    ("left", "moves", "expected"),
    [
        (60_000, False, True),
        (60_000 - LEAST + 1, False, True),
        (60_000 - LEAST, False, False),
        (60_000, True, False),
        (0, False, False),
    ],
)
def test_what_goes_decides(left: int, moves: bool, expected: bool) -> None:
    assert given_up(60_000, 60_000, left, moves=moves) is expected


def test_what_was_sent_already_is_not_watched() -> None:
    assert not given_up(0)
