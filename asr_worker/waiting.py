"""Waits that a drain ends early."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable

from shared.bus.redis_subscriber import Backoff


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
