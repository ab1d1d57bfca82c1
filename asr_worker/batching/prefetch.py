"""Features of what waits, computed while the engine is at work: the next batch finds them ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from asr_worker.batching.batcher import Batcher
from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.engine import EngineItem
from shared.bus.ports import Claim

AT_ONCE = 4
"""Segments prepared in one go: what a free engine may have to wait for, about 1 ms."""


@dataclass(slots=True)
class Job:
    """A claimed segment, ready to be decoded; `item` is replaced by its prepared form."""

    claim: Claim
    item: EngineItem
    queued_ms: int
    prepared: bool = False


class Prefetcher:
    """Prepares waiting segments, most urgent first, but only while the engine is busy.

    Nothing is promised to a batch by it: which segments the next batch takes is decided when the engine
    is free, as before. A segment that finds the engine free goes there at once and is prepared in the
    engine's thread: with little to do there is no second thread in its way.
    """

    def __init__(self, executor: EngineExecutor, waiting: Batcher[Job]) -> None:
        self._executor = executor
        self._waiting = waiting
        self._wake = asyncio.Event()
        self._working = asyncio.Lock()

    def wake(self) -> None:
        """Something waits, and the engine has work or gets some now."""
        self._wake.set()

    async def settled(self) -> None:
        """Return when nothing is being prepared: an item must not be decoded while that happens."""
        if self._working.locked():
            async with self._working:
                return

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._executor.busy and await self._prepare_some():
                continue

    async def _prepare_some(self) -> bool:
        """False when nothing was left to prepare."""
        async with self._working:
            jobs = self._waiting.most_urgent(AT_ONCE, _unprepared)
            if jobs:
                items = await self._executor.prepare([job.item for job in jobs])
                for job, item in zip(jobs, items, strict=True):
                    job.item, job.prepared = item, True
        return bool(jobs)


def _unprepared(job: Job) -> bool:
    return not job.prepared
