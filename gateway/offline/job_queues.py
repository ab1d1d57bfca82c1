"""Which queue a verify job goes to: that of the pool whose model should judge, if its workers take jobs.

A worker marks its queues as served every few seconds (arq's health check). Where the mark is missing nobody
would run the job: then the next pool is asked, at last whoever is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from arq.connections import ArqRedis
from arq.constants import health_check_key_suffix, in_progress_key_prefix, job_key_prefix

from shared.bus.redis_connections import command, execute, queue_command
from shared.ids import PoolName
from shared.protocol.jobs import JOB_QUEUE, job_queue


class JobQueues:
    """The queues for one job, the most wanted first; the last one takes the jobs that nobody else does."""

    def __init__(
        self, redis: ArqRedis, pools: Sequence[PoolName], max_queued: int, *, anyone: bool = True
    ) -> None:
        """`max_queued`: jobs in a pool's queue from which on the next one is asked. `anyone`: whether workers
        of other pools may run the job, too."""
        self._redis = redis
        self._max_queued = max_queued
        own = tuple(job_queue(pool) for pool in pools)
        self._names = (*own, JOB_QUEUE) if anyone or not own else own

    async def find(self, job_id: str) -> str:
        """Where the job waits already, or where it should go now."""
        for name in self._names:
            if await command(self._redis, "ZSCORE", name, job_id) is not None:
                return name
        for name in self._names[:-1]:
            if await self.served(name) and await self.length(name) < self._max_queued:
                return name
        return self._names[-1]

    async def length(self, name: str) -> int:
        return int(await command(self._redis, "ZCARD", name))

    async def served(self, name: str) -> bool:
        """Whether a worker takes jobs from this queue. The last queue always counts as served."""
        return name == self._names[-1] or bool(
            await command(self._redis, "EXISTS", name + health_check_key_suffix)
        )

    async def withdraw(self, name: str, job_id: str) -> bool:
        """Take a job that no worker has in work out of its queue; False if one has."""
        if await command(self._redis, "EXISTS", in_progress_key_prefix + job_id):
            return False
        async with self._redis.pipeline(transaction=True) as pipe:
            queue_command(pipe, "ZREM", name, job_id)
            queue_command(pipe, "DEL", job_key_prefix + job_id)
            await execute(pipe)
        return True
