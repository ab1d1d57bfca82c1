"""The batch side of the gateway: hand a whole recording to a worker's verify job, wait for the report."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.offline.job_queue import JobQueue
from shared.ids import Epoch, SessionId, TraceId, new_trace_id
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
    answers in time, and the job's own error (`BadAudio`, `StateLost`, ...) when it could not grade."""

    async def verify_session(
        self,
        session_id: SessionId,
        epoch: Epoch,
        passage: str,
        trace_id: TraceId | None = None,
        samples: int = 0,
    ) -> VerifyReport:
        """Grade the stored audio of a session, `samples` long (`AudioLost` if less is stored).

        Asking twice for one (session, epoch) is one job.
        """
        ...

    async def verify_upload(
        self, pcm16: bytes, passage: str, trace_id: TraceId | None = None
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
        self, redis_url: str, *, timeout_s: float = 60.0, max_queued: int = 1000, max_connections: int = 32
    ) -> None:
        """`timeout_s`: longest wait for a report on no audio at all (see `job_time_s`).
        `max_queued`: waiting jobs above which none is added."""
        self._jobs = JobQueue(redis_url, max_queued=max_queued, max_connections=max_connections)
        self._timeout_s = timeout_s

    async def verify_session(
        self,
        session_id: SessionId,
        epoch: Epoch,
        passage: str,
        trace_id: TraceId | None = None,
        samples: int = 0,
    ) -> VerifyReport:
        request = VerifySession(session_id, passage, trace_id or new_trace_id(), samples=samples)
        return await self._run(request, session_job_id(session_id, epoch))

    async def verify_upload(
        self, pcm16: bytes, passage: str, trace_id: TraceId | None = None
    ) -> VerifyReport:
        samples = len(pcm16) // 2
        async with self._jobs.uploaded(pcm16, job_time_s(self._timeout_s, samples)) as upload_id:
            request = VerifyUpload(upload_id, passage, trace_id or new_trace_id(), samples=samples)
            return await self._run(request, upload_job_id(upload_id))

    async def forget(self, session_id: SessionId, epoch: Epoch) -> None:
        await self._jobs.forget(session_job_id(session_id, epoch))

    async def close(self) -> None:
        await self._jobs.close()

    async def _run(self, request: VerifyRequest, job_id: str) -> VerifyReport:
        timeout_s = job_time_s(self._timeout_s, request.samples)
        reply = decode_reply(await self._jobs.run(VERIFY, encode_request(request), job_id, timeout_s))
        failure = reply.error()
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # this frame is in its traceback: the two would wait for the collector
        return msgspec.msgpack.decode(reply.report, type=VerifyReport)
