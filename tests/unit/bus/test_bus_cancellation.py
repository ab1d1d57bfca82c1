"""A cancelled task ends, also where a library swallows the cancellation."""

from __future__ import annotations

import asyncio

import pytest

from shared.bus.redis_connections import heeding_cancel


async def swallowing(started: asyncio.Event) -> str:
    """What `asyncio.wait_for` of Python 3.11 does when result and cancellation come together."""
    started.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "result"
    return "never"


async def test_a_swallowed_cancellation_is_raised_again() -> None:
    started = asyncio.Event()

    async def work() -> None:
        while True:
            await heeding_cancel(swallowing(started))

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


async def test_a_timeout_around_it_stays_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await heeding_cancel(swallowing(asyncio.Event()))


async def test_clean_up_after_a_cancellation_can_still_use_redis() -> None:
    done: list[str] = []

    async def reply() -> str:
        await asyncio.sleep(0)
        return "cleaned"

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            done.append(await heeding_cancel(reply()))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert (done, task.cancelled()) == (["cleaned"], True)
