"""Where sessions wait for a slot: in order per pool, bounded in number, woken by news of free slots."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from shared.errors import Unavailable
from shared.ids import PoolName

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")


class WaitingRoom:
    """First come, first served within one router. Only the first of a pool asks the registry."""

    def __init__(self) -> None:
        self._waiting: Counter[PoolName] = Counter()
        self._turns: dict[PoolName, asyncio.Lock] = {}
        self._news = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return self._waiting.total()

    def waiting_for(self, pool: PoolName) -> int:
        return self._waiting[pool]

    def announce(self) -> None:
        """Slots may have become free: whoever is first tries again."""
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """Send everybody away, to another router."""
        self._closed = True
        self.announce()

    async def wait(self, pool: PoolName, for_s: float, ask: Callable[[], Awaitable[_T | None]]) -> _T | None:
        """What `ask` gives as soon as it gives something, None when the time is up.

        `ask` itself is never cut short: a slot taken is always a slot returned to the caller.
        Raises `Unavailable` when the room closes.
        """
        deadline = asyncio.get_running_loop().time() + for_s
        with self._place(pool) as turn:
            if not await _in_time(turn.acquire(), deadline):
                return None
            try:
                return await self._first_in_line(deadline, ask)
            finally:
                turn.release()

    async def _first_in_line(self, deadline: float, ask: Callable[[], Awaitable[_T | None]]) -> _T | None:
        while not self._closed:
            # Taken before asking, so that news arriving meanwhile is not missed.
            news = self._news
            answer = await ask()
            if answer is not None:
                return answer
            if not await _in_time(news.wait(), deadline):
                return None
        raise Unavailable("this session router is draining; ask another one")

    @contextmanager
    def _place(self, pool: PoolName) -> Iterator[asyncio.Lock]:
        self._waiting[pool] += 1
        try:
            yield self._turns.setdefault(pool, asyncio.Lock())
        finally:
            self._waiting[pool] -= 1
            if not self._waiting[pool]:
                del self._waiting[pool], self._turns[pool]


async def _in_time(awaitable: Awaitable[object], deadline: float) -> bool:
    try:
        async with asyncio.timeout_at(deadline):
            await awaitable
    except TimeoutError:
        return False
    return True
