"""Tasks of other people's making that must end, even if they lose a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from asr_worker import stop_waits


async def test_a_task_that_loses_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_waits, "CANCEL_AGAIN_S", 0.01)
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await stop_waits.cancel_all([task])
    assert task.cancelled()
    assert lost == 3
