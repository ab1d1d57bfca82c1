"""One batch at a time; live batches go first, jobs get their turn; cancelling is safe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from asr_worker.batching.executor import MAX_PASSED_OVER, EngineExecutor
from asr_worker.engines.engine import EngineCapabilities, EngineItem, EngineOutput
from asr_worker.engines.scripted import ScriptedEngine
from shared.clock import SystemClock
from shared.protocol.segments import TaskOptions

ITEM = EngineItem(np.zeros(1600, np.float32))


class _GatedEngine:
    """Decodes only when let, one batch per permit, and remembers the order."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.order: list[str] = []
        self.at_once = 0

    @property
    def capabilities(self) -> EngineCapabilities:
        return ScriptedEngine().capabilities

    def bucket(self, samples: int) -> int:
        return samples

    def prepare(self, items: Sequence[EngineItem]) -> list[EngineItem]:
        return list(items)

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        self.at_once += 1
        assert self.at_once == 1
        assert self.permits.acquire(timeout=5)
        self.order.append(items[0].options.language)
        self.at_once -= 1
        return [EngineOutput() for _ in items]

    def close(self) -> None: ...


@pytest.fixture
def engine() -> _GatedEngine:
    return _GatedEngine()


@pytest.fixture
async def executor(engine: _GatedEngine) -> AsyncIterator[EngineExecutor]:
    executor = EngineExecutor(engine, SystemClock())
    yield executor
    executor.close()


def _named(name: str) -> EngineItem:
    return EngineItem(ITEM.pcm, TaskOptions(language=name))


async def _start(executor: EngineExecutor, name: str, *, live: bool) -> asyncio.Task[object]:
    task: asyncio.Task[object] = asyncio.create_task(executor.decode([_named(name)], live=live))
    await asyncio.sleep(0)
    return task


async def test_live_goes_before_jobs_but_not_for_ever(engine: _GatedEngine, executor: EngineExecutor) -> None:
    tasks = [await _start(executor, "first", live=False)]
    tasks.append(await _start(executor, "job", live=False))
    lives = MAX_PASSED_OVER + 2
    tasks += [await _start(executor, f"live{n}", live=True) for n in range(lives)]
    engine.permits.release(len(tasks))
    await asyncio.gather(*tasks)
    expected = ["first", *(f"live{n}" for n in range(MAX_PASSED_OVER)), "job"]
    assert engine.order[: len(expected)] == expected
    assert len(engine.order) == len(tasks)


async def test_cancelling_a_caller_neither_stops_the_engine_nor_loses_the_turn(
    engine: _GatedEngine, executor: EngineExecutor
) -> None:
    running = await _start(executor, "running", live=True)
    waiting = await _start(executor, "waiting", live=True)
    behind = await _start(executor, "behind", live=True)
    running.cancel()
    waiting.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    assert executor.busy_s > 0
    engine.permits.release(2)
    await behind
    assert engine.order == ["running", "behind"]
    await asyncio.sleep(0)
    assert executor.busy_s == 0
