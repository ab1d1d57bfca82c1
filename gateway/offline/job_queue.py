"""The queue of batch jobs on the control Redis, seen from the gateway: hand one over, wait for its answer."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix
from arq.jobs import Job, ResultNotFound, SerializationError
from redis.exceptions import RedisError

from gateway.offline.job_queues import JobQueues
from shared.bus import keys
from shared.bus.redis_connections import ConnectionLimits, command, heeding_cancel, open_client
from shared.errors import BusUnavailable, QueueFull, Unavailable
from shared.ids import PoolName
from shared.protocol.jobs import JOB_QUEUE, dump_job, load_job
from shared.service.logging import get_logger

_log = get_logger(__name__)

_CLOCKS_DIFFER = timedelta(days=1)
"""By so much the clock of a worker may be behind that of Redis."""

_MAX_LOSSES = 5
"""How often a job may be lost (Redis came back older, or without data) before it is given up."""

_LOSS_PAUSE_S = 0.5
"""The pause before the next try grows by so much, seconds, with full jitter."""

_POLL_S = 0.1
"""How often the job's result is looked for; arq's own default of 0.5 s would be most of the answer time."""


_LOOKS_PER_CHECK = 10
"""Every so many looks it is checked whether a worker still takes jobs from the queue."""

_UNSERVED_CHECKS = 3
"""After so many checks in a row that found none, the job goes to another queue: a worker that is only slow to
renew its mark keeps it."""


class NoAnswer(Unavailable):
    """No worker has answered in time."""


class _NobodyServes(Exception):
    """The job's queue has no worker any more, and the job was taken back."""


class JobQueue:
    """Jobs by arq. Connects on first use, never at start. What fails raises `Unavailable` (or a subclass)."""

    def __init__(self, redis_url: str, *, max_queued: int = 1000, max_connections: int = 32) -> None:
        """`max_queued`: waiting jobs above which none is added."""
        limits = ConnectionLimits(max_connections=max_connections)
        self.redis = ArqRedis(
            open_client(redis_url, limits).connection_pool,
            job_serializer=dump_job,
            job_deserializer=load_job,
            default_queue_name=JOB_QUEUE,
            retry_on_timeout=False,
        )
        self._max_queued = max_queued

    async def run(
        self,
        function: str,
        request: bytes,
        job_id: str,
        timeout_s: float,
        pools: Sequence[PoolName] = (),
        *,
        anyone: bool = True,
    ) -> object:
        """What the job returns. One id is one job, however often it is asked for.

        `pools`: whose workers should run it, the most wanted first; `anyone`: any other worker may.
        """
        try:
            async with asyncio.timeout(timeout_s):
                with bus_errors():
                    queues = JobQueues(self.redis, pools, self._max_queued, anyone=anyone)
                    return await self._answer(function, request, job_id, queues, timeout_s)
        except TimeoutError as error:
            raise NoAnswer(
                f"no worker finished this recording within {timeout_s:.3g} s; try again later"
            ) from error

    async def add(
        self, function: str, request: bytes, job_id: str, keep_s: float, pools: Sequence[PoolName]
    ) -> None:
        """Hand a job to the workers of these pools alone, and wait for nothing. One that waits, runs, or has
        just ended is left as it is; one that is not begun within `keep_s` seconds is dropped."""
        with bus_errors():
            queues = JobQueues(self.redis, pools, self._max_queued, anyone=False)
            await self._enqueue(function, request, job_id, await queues.find(job_id), queues, keep_s)

    async def running(self, job_id: str) -> bool:
        """Whether a worker has the job in work."""
        with bus_errors():
            return bool(await command(self.redis, "EXISTS", in_progress_key_prefix + job_id))

    @asynccontextmanager
    async def uploaded(self, pcm16: bytes, job_s: float) -> AsyncIterator[str]:
        """The recording beside its job, which takes at most `job_s` seconds; gives its id. Deleted later."""
        upload_id = secrets.token_hex(12)
        with bus_errors():
            stored = self.redis.set(keys.upload(upload_id), pcm16, ex=keys.UPLOAD_TTL_S + int(job_s))
            await heeding_cancel(stored)
        try:
            yield upload_id
        finally:
            await self._forget_upload(upload_id)

    async def forget(self, job_id: str) -> None:
        """Delete what a job has answered."""
        with bus_errors():
            await heeding_cancel(self.redis.delete(result_key_prefix + job_id, job_key_prefix + job_id))

    async def close(self) -> None:
        await self.redis.aclose(close_connection_pool=True)

    async def _answer(
        self, function: str, request: bytes, job_id: str, queues: JobQueues, timeout_s: float
    ) -> object:
        """What the job returns. One that Redis has lost is asked for again: running twice does no harm."""
        losses = 0
        while losses < _MAX_LOSSES:
            queue = await queues.find(job_id)
            await self._enqueue(function, request, job_id, queue, queues, timeout_s)
            try:
                return await self._wait(job_id, queue, queues)
            except _NobodyServes:
                _log.warning("job_moved", function=function, queue=queue)
            except (ResultNotFound, SerializationError) as error:
                _log.warning("job_lost", function=function, why=str(error))
                await asyncio.sleep(random.uniform(0, losses * _LOSS_PAUSE_S))
                losses += 1
        raise Unavailable("Redis loses the job of this recording again and again; try again later")

    async def _enqueue(
        self, function: str, request: bytes, job_id: str, queue: str, queues: JobQueues, expires_s: float
    ) -> None:
        if await queues.length(queue) >= self._max_queued:
            raise QueueFull(f"{self._max_queued} recordings already wait for a worker; try again later")
        enqueued = self.redis.enqueue_job(
            function,
            request,
            _job_id=job_id,
            _queue_name=queue,
            _defer_until=await self._place_in_queue(),
            _expires=expires_s,
        )
        await heeding_cancel(enqueued)

    async def _place_in_queue(self) -> datetime:
        """The order of jobs, by the clock of Redis: those of gateways may be wrong.

        A worker takes a job once its own clock has reached it, so it lies in the past of any worker.
        """
        seconds, microseconds = await heeding_cancel(self.redis.time())
        return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC) - _CLOCKS_DIFFER

    async def _wait(self, job_id: str, queue: str, queues: JobQueues) -> object:
        """For ever. Raises `ResultNotFound` when the job is gone, `_NobodyServes` when it was taken back
        because no worker takes jobs from its queue any more."""
        job = Job(job_id, self.redis, _queue_name=queue, _deserializer=load_job)
        unserved = 0
        for looks in itertools.count(1):
            if looks % _LOOKS_PER_CHECK == 0:
                unserved = 0 if await queues.served(queue) else unserved + 1
                if unserved >= _UNSERVED_CHECKS and await queues.withdraw(queue, job_id):
                    raise _NobodyServes
            try:
                # One look at a time: arq's own loop goes on when redis-py loses a cancellation.
                return await heeding_cancel(job.result(timeout=0, poll_delay=_POLL_S))
            except TimeoutError:
                await asyncio.sleep(_POLL_S)
        raise AssertionError("the count never ends")

    async def _forget_upload(self, upload_id: str) -> None:
        try:
            async with asyncio.timeout(2):
                await self.redis.unlink(keys.upload(upload_id), keys.upload_heard(upload_id))
        except (RedisError, OSError):
            return  # it expires by itself


@contextmanager
def bus_errors() -> Iterator[None]:
    """Redis failures as `BusUnavailable`; a timeout of our own wait is already `Unavailable`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise BusUnavailable(f"the control Redis cannot be used ({error}); try again later") from error
