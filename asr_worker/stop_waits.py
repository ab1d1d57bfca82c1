"""Waits that a drain ends early."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterable
from typing import Any

from shared.retry import Backoff

CANCEL_AGAIN_S = 1.0
"""A task that has not ended so long after it was cancelled is cancelled again."""


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until `stop` is set."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await stop.wait()
    except TimeoutError:
        return


async def first_of(stop: asyncio.Event, wanted: Awaitable[None]) -> None:
    """Wait for `wanted` or for `stop`, whichever is first; the other is cancelled and awaited."""
    tasks = [asyncio.ensure_future(wanted), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel and wait until all have ended, again and again: redis-py sends inside `asyncio.wait_for`,
    which can lose a cancellation (python/cpython#86296), and a loop of somebody else's would go on."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)


class Retry:
    """Growing waits with full jitter between tries at something that is away."""

    def __init__(self, backoff: Backoff | None = None, source: random.Random | None = None) -> None:
        self._backoff = backoff or Backoff()
        self._source = source or random.Random()
        self._attempt = 0

    def succeeded(self) -> None:
        self._attempt = 0

    def wait_s(self) -> float:
        """How long to wait before the next try, s; longer each time on average, up to the cap."""
        wait_s = self._backoff.wait_s(self._attempt, self._source)
        self._attempt += 1
        return wait_s
