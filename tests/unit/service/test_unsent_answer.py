"""A socket is held as long as its client takes what was sent, and no longer."""

from __future__ import annotations

import asyncio

import pytest

from shared.service.unsent_answer import LEAST_BYTES_PER_S, UnsentAnswer

TIMEOUT_S = 0.01


class Unread(asyncio.Transport):
    """Says how much waits to be sent."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self._sizes = list(sizes)

    def get_write_buffer_size(self) -> int:
        return self._sizes.pop(0) if len(self._sizes) > 1 else self._sizes[0]


async def given_up(*sizes: int, moves: bool = False) -> bool:
    """Whether a socket is given up at its first look. `sizes`: what waits, each time it is looked at."""
    calls: list[str] = []
    unsent = UnsentAnswer(TIMEOUT_S, lambda: calls.append("unread"))
    unsent.begin(asyncio.get_running_loop(), Unread(*sizes))
    unsent.watch()
    if moves:
        unsent.moved()
    await asyncio.sleep(1.5 * TIMEOUT_S)
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
async def test_what_goes_decides(left: int, moves: bool, expected: bool) -> None:
    assert await given_up(60_000, 60_000, left, moves=moves) is expected


async def test_what_was_sent_already_is_not_watched() -> None:
    assert not await given_up(0)
