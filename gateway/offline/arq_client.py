"""The batch side of the gateway: hand a whole recording to a worker's verify job, wait for the report."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
from arq.connections import ArqRedis
from arq.constants import job_key_prefix, result_key_prefix
from arq.jobs import Job, ResultNotFound, SerializationError
from redis.exceptions import RedisError

from gateway.admission.circuit import Circuit
from gateway.offline.job_queues import JobQueues
from shared.bus import keys
from shared.bus.redis_connections import ConnectionLimits, heeding_cancel, open_client
from shared.errors import BusUnavailable, QueueFull, Unavailable
from shared.ids import Epoch, PoolName, SessionId, TraceId, new_trace_id
from shared.protocol.jobs import (
    JOB_QUEUE,
    VERIFY,
    VerifyRequest,
    VerifySession,
    VerifyUpload,
    decode_reply,
    dump_job,
    encode_request,
    job_time_s,
    load_job,
    session_job_id,
    upload_job_id,
)
from shared.recitation.report.report import VerifyReport
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


class BatchVerifier(Protocol):
    """Grades a whole recording. Both methods raise `Unavailable` (or a subclass) when no worker
    answers in time, and the job's own error (`BadAudio`, `StateLost`, ...) when it could not grade.

    `pools`: whose model should judge; the first one with a worker does, and any worker if none has. The
    report says which model it was."""

    async def verify_session(
        self,
        session_id: SessionId,
        epoch: Epoch,
        passage: str,
        trace_id: TraceId | None = None,
        samples: int = 0,
        pools: Sequence[PoolName] = (),
    ) -> VerifyReport:
        """Grade the stored audio of a session, `samples` long (`AudioLost` if less is stored).

        Asking twice for one (session, epoch) is one job.
        """
        ...

    async def verify_upload(
        self,
        pcm16: bytes,
        passage: str,
        trace_id: TraceId | None = None,
        pools: Sequence[PoolName] = (),
    ) -> VerifyReport:
        """Grade an uploaded recording, 16 kHz mono PCM16."""
        ...

    async def forget(self, session_id: SessionId, epoch: Epoch) -> None:
        """Delete the report on a session, if there is one."""
        ...

    async def close(self) -> None: ...


class ArqVerifier:
    """`BatchVerifier` by arq jobs on the control Redis. Connects on first use, never at start."""

    def __init__(
        self,
        redis_url: str,
        *,
        timeout_s: float = 60.0,
        max_queued: int = 1000,
        max_connections: int = 32,
        circuit: Circuit | None = None,
    ) -> None:
        """`timeout_s`: longest wait for a report on no audio at all (see `job_time_s`).
        `max_queued`: waiting jobs above which none is added. `circuit`: opened by uploads that are not
        answered, closed by any report; sessions are not held back by it."""
        self._circuit = circuit
        limits = ConnectionLimits(max_connections=max_connections)
        self._redis = ArqRedis(
            open_client(redis_url, limits).connection_pool,
            job_serializer=dump_job,
            job_deserializer=load_job,
            default_queue_name=JOB_QUEUE,
            retry_on_timeout=False,
        )
        self._timeout_s = timeout_s
        self._max_queued = max_queued

    async def verify_session(
        self,
        session_id: SessionId,
        epoch: Epoch,
        passage: str,
        trace_id: TraceId | None = None,
        samples: int = 0,
        pools: Sequence[PoolName] = (),
    ) -> VerifyReport:
        request = VerifySession(session_id, passage, trace_id or new_trace_id(), samples=samples)
        return await self._run(request, session_job_id(session_id, epoch), pools)

    async def verify_upload(
        self,
        pcm16: bytes,
        passage: str,
        trace_id: TraceId | None = None,
        pools: Sequence[PoolName] = (),
    ) -> VerifyReport:
        if self._circuit is None:
            return await self._verify_upload(pcm16, passage, trace_id or new_trace_id(), pools)
        with self._circuit.guard(_not_asked, (BusUnavailable, NoAnswer)):
            return await self._verify_upload(pcm16, passage, trace_id or new_trace_id(), pools)

    async def _verify_upload(
        self, pcm16: bytes, passage: str, trace_id: TraceId, pools: Sequence[PoolName]
    ) -> VerifyReport:
        upload_id = secrets.token_hex(12)
        key, samples = keys.upload(upload_id), len(pcm16) // 2
        life_s = keys.UPLOAD_TTL_S + int(job_time_s(self._timeout_s, samples))
        with _bus_errors():
            await heeding_cancel(self._redis.set(key, pcm16, ex=life_s))
        try:
            request = VerifyUpload(upload_id, passage, trace_id, samples=samples)
            return await self._run(request, upload_job_id(upload_id), pools)
        finally:
            await self._forget(key)

    async def forget(self, session_id: SessionId, epoch: Epoch) -> None:
        job_id = session_job_id(session_id, epoch)
        with _bus_errors():
            await heeding_cancel(self._redis.delete(result_key_prefix + job_id, job_key_prefix + job_id))

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)

    async def _run(self, request: VerifyRequest, job_id: str, pools: Sequence[PoolName]) -> VerifyReport:
        timeout_s = job_time_s(self._timeout_s, request.samples)
        try:
            async with asyncio.timeout(timeout_s):
                with _bus_errors():
                    answer = await self._answer(request, job_id, pools, timeout_s)
        except TimeoutError as error:
            raise NoAnswer(
                f"no worker finished this recording within {timeout_s:.3g} s; try again later"
            ) from error
        reply = decode_reply(answer)
        if self._circuit is not None:
            self._circuit.succeeded()
        failure = reply.error()
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # this frame is in its traceback: the two would wait for the collector
        return msgspec.msgpack.decode(reply.report, type=VerifyReport)

    async def _answer(
        self, request: VerifyRequest, job_id: str, pools: Sequence[PoolName], timeout_s: float
    ) -> object:
        """What the job returns. One that Redis has lost is asked for again: running twice does no harm."""
        queues = JobQueues(self._redis, pools, self._max_queued)
        losses = 0
        while losses < _MAX_LOSSES:
            queue = await queues.find(job_id)
            if await queues.length(queue) >= self._max_queued:
                raise QueueFull(f"{self._max_queued} recordings already wait to be verified; try again later")
            enqueued = self._redis.enqueue_job(
                VERIFY,
                encode_request(request),
                _job_id=job_id,
                _queue_name=queue,
                _defer_until=await self._place_in_queue(),
                _expires=timeout_s,
            )
            await heeding_cancel(enqueued)
            try:
                return await self._wait(job_id, queue, queues)
            except _NobodyServes:
                _log.warning("verify_job_moved", queue=queue)
            except (ResultNotFound, SerializationError) as error:
                _log.warning("verify_job_lost", why=str(error))
                await asyncio.sleep(random.uniform(0, losses * _LOSS_PAUSE_S))
                losses += 1
        raise Unavailable("Redis loses the verify job again and again; try again later")

    async def _place_in_queue(self) -> datetime:
        """The order of jobs, by the clock of Redis: those of gateways may be wrong.

        A worker takes a job once its own clock has reached it, so it lies in the past of any worker.
        """
        seconds, microseconds = await heeding_cancel(self._redis.time())
        return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC) - _CLOCKS_DIFFER

    async def _wait(self, job_id: str, queue: str, queues: JobQueues) -> object:
        """For ever. Raises `ResultNotFound` when the job is gone, `_NobodyServes` when it was taken back
        because no worker takes jobs from its queue any more."""
        job = Job(job_id, self._redis, _queue_name=queue, _deserializer=load_job)
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

    async def _forget(self, key: str) -> None:
        try:
            async with asyncio.timeout(2):
                await self._redis.unlink(key)
        except (RedisError, OSError):
            return  # it expires by itself


def _not_asked(retry_after_s: float) -> Unavailable:
    return Unavailable("no worker has verified a recording for a while; try again later", retry_after_s)


@contextmanager
def _bus_errors() -> Iterator[None]:
    """Redis failures as `BusUnavailable`; a timeout of our own wait is already `Unavailable`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise BusUnavailable(f"the control Redis cannot be used ({error}); try again later") from error
