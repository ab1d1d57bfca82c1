"""Workers on the memory bus with the scripted engine, and sessions that push to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.engine import Engine
from asr_worker.engines.scripted import ScriptedEngine
from asr_worker.metrics import WorkerMetrics
from asr_worker.worker import Worker, WorkerPolicy
from shared.bus.ports import SessionRecord
from shared.clock import SystemClock
from shared.ids import (
    ConnectionId,
    Epoch,
    PoolName,
    SessionId,
    WorkerId,
    new_connection_id,
    new_epoch,
    new_session_id,
    new_trace_id,
)
from shared.protocol.segments import Priority, Segment, SegmentResult, TaskOptions
from tests.memory.bus import MemorySessionStore
from tests.memory.bus_state import MemoryBus
from tests.memory.work_queue import MemoryWorkQueue

POOL = PoolName("default")
QUICK = WorkerPolicy(claim_block_ms=10, reclaim_ms=150, reclaim_every_s=0.01, drain_timeout_s=5.0)


@dataclass
class Reciter:
    """One session: pushes windows and reads its result log."""

    store: MemorySessionStore
    session_id: SessionId = field(default_factory=new_session_id)
    connection_id: ConnectionId = field(default_factory=new_connection_id)
    epoch: Epoch = field(default_factory=new_epoch)
    next_seq: int = 0

    @property
    def record(self) -> SessionRecord:
        return SessionRecord(
            self.session_id, self.connection_id, self.epoch, "recite", "112:1-4", POOL, created_ms=0
        )

    async def push(
        self,
        pcm: NDArray[np.int16],
        *,
        priority: Priority = "partial",
        deadline_ms: int = 2**60,
        created_ms: int | None = None,
        patience_ms: int | None = None,
        options: TaskOptions | None = None,
        samples: int | None = None,
        codec: str = "pcm16",
    ) -> int:
        """Queue one window and return its seq. `samples` claims another length than the audio has, `codec`
        another form."""
        created_ms = SystemClock().wall_ms() if created_ms is None else created_ms
        seq = self.next_seq
        self.next_seq += 1
        segment = Segment(
            session_id=self.session_id,
            connection_id=self.connection_id,
            epoch=self.epoch,
            seq=seq,
            start_sample=seq * 1600,
            samples=pcm.size if samples is None else samples,
            audio=pcm.tobytes(),
            pool=POOL,
            trace_id=new_trace_id(),
            created_ms=created_ms,
            deadline_ms=deadline_ms if patience_ms is None else created_ms + patience_ms,
            codec=codec,
            priority=priority,
            options=options or TaskOptions(),
        )
        await self.store.push(self.record, segment, None)
        return seq

    async def results(self, count: int) -> list[SegmentResult]:
        """The first `count` results in the order of their log."""
        async with asyncio.timeout(10):
            while True:
                page = await self.store.results_after(self.session_id, self.epoch, 0)
                if len(page.results) >= count:
                    return [logged.result for logged in page.results]
                await asyncio.sleep(0.005)


async def reciter(bus: MemoryBus) -> Reciter:
    made = Reciter(MemorySessionStore(bus))
    await made.store.open(made.record)
    return made


@dataclass
class Running:
    """A worker at work. `abandon` is what kill -9 leaves behind: nothing is committed any more."""

    worker: Worker
    metrics: WorkerMetrics
    executor: EngineExecutor
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def abandon(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def drain(self) -> None:
        self.stop.set()
        await self.task


def start(
    bus: MemoryBus,
    name: str = "w1",
    engine: Engine | None = None,
    policy: WorkerPolicy = QUICK,
) -> Running:
    clock = SystemClock()
    executor = EngineExecutor(engine or ScriptedEngine(), clock)
    metrics = WorkerMetrics(CollectorRegistry())
    worker_id = WorkerId(name)
    worker = Worker(worker_id, MemoryWorkQueue(bus, POOL, worker_id), executor, policy, metrics, clock)
    stop = asyncio.Event()
    return Running(worker, metrics, executor, stop, asyncio.create_task(worker.run(stop)))


@asynccontextmanager
async def running(
    bus: MemoryBus,
    name: str = "w1",
    engine: Engine | None = None,
    policy: WorkerPolicy = QUICK,
) -> AsyncIterator[Running]:
    """A worker that is drained at the end, unless the test has already ended it."""
    made = start(bus, name, engine, policy)
    try:
        yield made
        if not made.task.done():
            await made.drain()
    finally:
        await made.abandon()
        made.executor.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the condition is not ours to signal
            await asyncio.sleep(0.002)
