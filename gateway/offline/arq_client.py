"""The batch side of the gateway: hand a whole recording to a worker's verify job, wait for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.admission.circuit import Circuit
from gateway.offline.job_queue import JobQueue, NoAnswer
from shared.errors import BusUnavailable, Unavailable
from shared.ids import Epoch, PoolName, SessionId, TraceId, new_trace_id
from shared.protocol.jobs import (
    VERIFY,
    VerifyRequest,
    VerifySession,
    VerifyUpload,
    decode_reply,
    encode_request,
    job_time_s,
    session_job_id,
    upload_job_id,
)
from shared.recitation.report.report import VerifyReport


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
        self._jobs = JobQueue(redis_url, max_queued=max_queued, max_connections=max_connections)
        self._timeout_s = timeout_s

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
        samples = len(pcm16) // 2
        async with self._jobs.uploaded(pcm16, job_time_s(self._timeout_s, samples)) as upload_id:
            request = VerifyUpload(upload_id, passage, trace_id, samples=samples)
            return await self._run(request, upload_job_id(upload_id), pools)

    async def forget(self, session_id: SessionId, epoch: Epoch) -> None:
        await self._jobs.forget(session_job_id(session_id, epoch))

    async def close(self) -> None:
        await self._jobs.close()

    async def _run(self, request: VerifyRequest, job_id: str, pools: Sequence[PoolName]) -> VerifyReport:
        timeout_s = job_time_s(self._timeout_s, request.samples)
        answer = await self._jobs.run(VERIFY, encode_request(request), job_id, timeout_s, pools)
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


def _not_asked(retry_after_s: float) -> Unavailable:
    return Unavailable("no worker has verified a recording for a while; try again later", retry_after_s)
