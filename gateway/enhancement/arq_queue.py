"""Enhancement jobs by arq, on the control Redis."""

from __future__ import annotations

from gateway.offline.job_queue import JobQueue
from shared.enhancement.records import ENHANCE, EnhanceJob, encode
from shared.ids import PoolName


class ArqEnhanceQueue:
    """`EnhanceQueue` by arq jobs. Connects on first use, never at start."""

    def __init__(self, redis_url: str, keep_s: float) -> None:
        """`keep_s`: how long a job may wait."""
        self._jobs = JobQueue(redis_url)
        self._keep_s = keep_s

    async def add(self, job: EnhanceJob, pool: PoolName) -> None:
        await self._jobs.add(ENHANCE, encode(job), job.job_id, self._keep_s, (pool,))

    async def running(self, job_id: str) -> bool:
        return await self._jobs.running(job_id)

    async def forget(self, job_id: str) -> None:
        await self._jobs.forget(job_id)

    async def close(self) -> None:
        await self._jobs.close()
