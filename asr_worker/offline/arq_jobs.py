"""Batch jobs: an arq worker inside the worker process, on the control Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import msgspec
from arq import Retry as RunAgain
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.worker import Worker as ArqWorker
from arq.worker import func
from redis.asyncio import Redis
from redis.exceptions import RedisError

from asr_worker.metrics import WorkerMetrics
from asr_worker.offline.enhance import Enhancer, EnhanceReply
from asr_worker.offline.transcribe import Transcriber
from asr_worker.offline.verify import Verifier
from asr_worker.stop_waits import Retry, cancel_all, pause
from shared.audio.formats import SAMPLE_RATE
from shared.bus.redis_connections import ConnectionLimits, command, heeding_cancel, open_client
from shared.clock import Clock
from shared.enhancement.records import ENHANCE, EnhanceJob
from shared.enhancement.records import decode as read_record
from shared.errors import BusUnavailable, RattilError, Unavailable
from shared.ids import PoolName
from shared.pools import DEFAULT_POOL
from shared.protocol.jobs import (
    JOB_QUEUE,
    MAX_RECORDING_S,
    VERIFY,
    VerifyReply,
    decode_request,
    dump_job,
    job_queue,
    job_time_s,
    load_job,
)
from shared.protocol.transcribe_jobs import (
    TRANSCRIBE,
    TranscribeReply,
    TranscribeUpload,
    decode,
    transcribe_time_s,
)
from shared.service.logging import get_logger
from shared.service.throttled_log import ThrottledLog

MAX_TRIES = 3
KEEP_RESULT_S = 120
"""How long a report waits to be fetched, s: a client that lost its gateway comes back within that."""
HEALTH_CHECK_S = 5
"""How often a worker marks its queues as served; a gateway sends no job where the mark is missing."""
LEASE_S = 6.0
"""A job whose worker has not renewed it for so long is run by another one. arq alone would wait for
the job timeout and 10 s more."""
TRY_AGAIN_S = 1.0

_log = get_logger(__name__)
_throttled = ThrottledLog(_log)


@dataclass(frozen=True, slots=True)
class JobPolicy:
    """Bounds of the jobs: how many at once, how long one on no audio may take (s, see `job_time_s`), how
    often to look (s), how long one waits for a Redis that is away before it is put back (s). `pool`: whose
    jobs are run besides those that any worker may run."""

    max_jobs: int = 2
    timeout_s: float = 30.0
    poll_s: float = 0.1
    bus_patience_s: float = 10.0
    drain_timeout_s: float = 30.0
    pool: PoolName = DEFAULT_POOL


_Reply = VerifyReply | TranscribeReply | EnhanceReply


class _Work(NamedTuple):
    """What a job does, and how long it may take, seconds."""

    limit_s: float
    run: Callable[[], Awaitable[_Reply]]


class OfflineJobs:
    """Runs jobs about whole recordings until told to stop; survives a control Redis that comes and goes."""

    def __init__(
        self,
        control_url: str,
        verifier: Verifier,
        transcriber: Transcriber,
        policy: JobPolicy,
        metrics: WorkerMetrics,
        clock: Clock,
        enhancer: Enhancer | None = None,
    ) -> None:
        """`enhancer`: where recordings are kept; without it such jobs stay for other workers."""
        self._enhancer = enhancer
        self._control_url = control_url
        self._verifier = verifier
        self._transcriber = transcriber
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._slots = asyncio.Semaphore(policy.max_jobs)
        self._picking: list[ArqWorker] = []

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for queue in (job_queue(self._policy.pool), JOB_QUEUE):
                group.create_task(self._run(queue, stop), name=f"jobs-{queue}")

    async def _run(self, queue: str, stop: asyncio.Event) -> None:
        retry = Retry()
        while not stop.is_set():
            try:
                async with self._arq_worker(queue) as worker:
                    await self._work(worker, stop)
            except (RedisError, OSError) as error:
                self._metrics.bus_errors.labels("jobs").inc()
                _throttled.warning("bus_unavailable", key="jobs", call="jobs", error=str(error))
                await pause(stop, retry.wait_s())

    async def verify(self, ctx: dict[str, Any], data: bytes) -> bytes:
        """The job `VERIFY`."""

        def read() -> _Work:
            request = decode_request(data)
            limit_s = job_time_s(self._policy.timeout_s, request.samples)
            return _Work(limit_s, partial(self._verifier.verify, request))

        return await self._answer(ctx, read, VerifyReply)

    async def transcribe(self, ctx: dict[str, Any], data: bytes) -> bytes:
        """The job `TRANSCRIBE`."""

        def read() -> _Work:
            request = decode(data, TranscribeUpload)
            limit_s = transcribe_time_s(self._policy.timeout_s, request.samples)
            return _Work(limit_s, partial(self._transcriber.transcribe, request))

        return await self._answer(ctx, read, TranscribeReply)

    async def enhance(self, ctx: dict[str, Any], data: bytes) -> bytes:
        """The job `ENHANCE`. Its outcome goes to the store; here only its code is answered."""
        enhancer = self._enhancer
        assert enhancer is not None  # else it is not registered

        def read() -> _Work:
            job = read_record(data, EnhanceJob)
            limit_s = transcribe_time_s(self._policy.timeout_s, job.samples)
            if job.judged:
                limit_s += job_time_s(self._policy.timeout_s, job.samples)
            return _Work(limit_s, partial(enhancer.enhance, job, limit_s))

        return await self._answer(ctx, read, EnhanceReply)

    async def _answer(self, ctx: dict[str, Any], read: Callable[[], _Work], failed: type[_Reply]) -> bytes:
        """Expected failures are answers; a bus that is away means "run it again"."""
        began_s = self._clock.monotonic()
        reply: _Reply
        try:
            work = read()
            async with (
                _lease_kept(ctx["redis"], ctx["job_id"]),
                self._slot(),
                asyncio.timeout(work.limit_s),
            ):
                reply = await self._patiently(work)
        except TimeoutError:
            message = f"the recording was not finished within {work.limit_s:.0f} s; try again later"
            reply = failed(code=Unavailable.code, message=message)
        except BusUnavailable as error:
            _log.warning("job_put_back", job_id=ctx["job_id"], error=error.message)
            raise RunAgain(defer=TRY_AGAIN_S) from error
        except RattilError as error:
            reply = failed(code=error.code, message=error.message)
        took_ms = round((self._clock.monotonic() - began_s) * 1000)
        self._metrics.jobs.labels(reply.code).inc()
        self._metrics.job.observe(took_ms / 1000)
        _log.info("job_done", job_id=ctx["job_id"], code=reply.code, took_ms=took_ms)
        return msgspec.msgpack.encode(reply)

    async def _patiently(self, work: _Work) -> _Reply:
        """arq counts a job that is put back as tried, so a Redis that is away is waited for here first."""
        retry, give_up_s = Retry(), self._clock.monotonic() + self._policy.bus_patience_s
        while True:
            try:
                return await work.run()
            except BusUnavailable:
                self._metrics.bus_errors.labels("jobs").inc()
                if self._clock.monotonic() >= give_up_s:
                    raise
            await asyncio.sleep(retry.wait_s())

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """One of `max_jobs` for both queues together; while all are taken, other workers get the jobs."""
        async with self._slots:
            self._pick(not self._slots.locked())
            try:
                yield
            finally:
                self._pick(True)

    def _pick(self, allowed: bool) -> None:
        for worker in self._picking:
            worker.allow_pick_jobs = allowed

    @asynccontextmanager
    async def _arq_worker(self, queue: str) -> AsyncIterator[ArqWorker]:
        limits = ConnectionLimits(max_connections=2 * self._policy.max_jobs + 4)
        redis = ArqRedis(
            open_client(self._control_url, limits).connection_pool,
            job_serializer=dump_job,
            job_deserializer=load_job,
            default_queue_name=queue,
        )
        functions = [func(self.verify, name=VERIFY), func(self.transcribe, name=TRANSCRIBE)]
        if self._enhancer is not None:
            functions.append(func(self.enhance, name=ENHANCE))
        worker = ArqWorker(
            functions,
            queue_name=queue,
            redis_pool=redis,
            handle_signals=False,
            max_jobs=self._policy.max_jobs,
            # Above any job's own limit: a time-out of arq's would be an error without a sentence.
            job_timeout=2 * transcribe_time_s(self._policy.timeout_s, MAX_RECORDING_S * SAMPLE_RATE),
            keep_result=KEEP_RESULT_S,
            poll_delay=self._policy.poll_s,
            max_tries=MAX_TRIES,
            health_check_interval=HEALTH_CHECK_S,
            job_serializer=dump_job,
            job_deserializer=load_job,
            log_results=False,
        )
        worker.in_progress_timeout_s = LEASE_S
        try:
            yield worker
        finally:
            await redis.aclose(close_connection_pool=True)

    async def _work(self, worker: ArqWorker, stop: asyncio.Event) -> None:
        """Poll until `stop`, then let the jobs in work finish, within the drain timeout."""
        polling = asyncio.create_task(worker.async_run(), name="arq-poll")
        stopping = asyncio.create_task(stop.wait(), name="arq-stop")
        worker.allow_pick_jobs = not self._slots.locked()
        self._picking.append(worker)
        try:
            await asyncio.wait([polling, stopping], return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                await heeding_cancel(polling)
            self._picking.remove(worker)
            worker.allow_pick_jobs = False
            if worker.tasks:
                await asyncio.wait(list(worker.tasks.values()), timeout=self._policy.drain_timeout_s)
        finally:
            if worker in self._picking:
                self._picking.remove(worker)
            # A cancelled job is put back by arq and run by another worker.
            left = [polling, stopping, *worker.tasks.values()]
            await cancel_all(left)
            await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def _lease_kept(redis: Redis, job_id: str) -> AsyncIterator[None]:
    """Renew arq's mark "in progress" while the job runs."""
    renewing = asyncio.create_task(_renew(redis, in_progress_key_prefix + job_id), name=f"lease-{job_id}")
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew(redis: Redis, key: str) -> None:
    while True:
        await asyncio.sleep(LEASE_S / 3)
        try:
            await command(redis, "PEXPIRE", key, int(LEASE_S * 1000))
        except (RedisError, OSError) as error:
            # The job goes on: at worst another worker computes the same report.
            _log.warning("bus_unavailable", call="renew job", error=str(error))
