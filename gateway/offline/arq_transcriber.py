"""The batch side of the gateway for speech of any kind: a whole recording to a worker's transcribe job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from gateway.offline.job_queue import JobQueue, bus_errors
from shared.bus import keys
from shared.bus.redis_connections import command
from shared.ids import PoolName, new_trace_id
from shared.protocol.segments import TaskOptions
from shared.protocol.transcribe_jobs import (
    TRANSCRIBE,
    TranscribeReply,
    TranscribeUpload,
    decode,
    encode,
    transcribe_job_id,
    transcribe_time_s,
)
from shared.transcription.recording import Stretch

_LOOK_S = 0.2
"""How often what a job has told so far is looked for."""


class BatchTranscriber(Protocol):
    """Transcribes a whole recording, PCM16 mono 16 kHz. Both methods raise `Unavailable` (or a subclass) when
    no worker answers in time, and the job's own error when it could not transcribe."""

    async def transcribe(self, pcm16: bytes, options: TaskOptions, pool: PoolName) -> Sequence[Stretch]:
        """Every stretch with speech, by the model of this pool. An empty language in `options`: the model
        finds out."""
        ...

    def follow(self, pcm16: bytes, options: TaskOptions, pool: PoolName) -> AsyncGenerator[Stretch, None]:
        """The same, each stretch as soon as it is known; what was given never changes."""
        ...

    async def close(self) -> None: ...


class ArqTranscriber:
    """`BatchTranscriber` by arq jobs on the control Redis. Connects on first use, never at start."""

    def __init__(self, redis_url: str, *, timeout_s: float = 60.0, max_queued: int = 1000) -> None:
        """`timeout_s`: longest wait for a transcript of no audio at all (see `transcribe_time_s`)."""
        self._jobs = JobQueue(redis_url, max_queued=max_queued)
        self._timeout_s = timeout_s

    async def transcribe(self, pcm16: bytes, options: TaskOptions, pool: PoolName) -> Sequence[Stretch]:
        async with self._jobs.uploaded(pcm16, self._limit_s(pcm16)) as upload_id:
            return await self._run(upload_id, pcm16, options, pool, follow=False)

    async def follow(
        self, pcm16: bytes, options: TaskOptions, pool: PoolName
    ) -> AsyncGenerator[Stretch, None]:
        async with self._jobs.uploaded(pcm16, self._limit_s(pcm16)) as upload_id:
            running = asyncio.create_task(
                self._run(upload_id, pcm16, options, pool, follow=True), name=f"transcribe-{upload_id}"
            )
            told = 0
            try:
                while not running.done():
                    await asyncio.wait([running], timeout=_LOOK_S)
                    for stretch in await self._told(upload_id, told):
                        told += 1
                        yield stretch
                for stretch in (await running)[told:]:
                    yield stretch
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def close(self) -> None:
        await self._jobs.close()

    def _limit_s(self, pcm16: bytes) -> float:
        return transcribe_time_s(self._timeout_s, len(pcm16) // 2)

    async def _run(
        self, upload_id: str, pcm16: bytes, options: TaskOptions, pool: PoolName, *, follow: bool
    ) -> Sequence[Stretch]:
        request = TranscribeUpload(upload_id, len(pcm16) // 2, options, follow, new_trace_id())
        job_id, limit_s = transcribe_job_id(upload_id), self._limit_s(pcm16)
        # Another pool's model would write something else: it is waited for, or said that nobody answers.
        answer = await self._jobs.run(TRANSCRIBE, encode(request), job_id, limit_s, (pool,), anyone=False)
        reply = decode(answer, TranscribeReply)
        failure = reply.error()
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # this frame is in its traceback: the two would wait for the collector
        return reply.stretches

    async def _told(self, upload_id: str, seen: int) -> list[Stretch]:
        """What was told after the first `seen` stretches."""
        with bus_errors():
            key = keys.upload_heard(upload_id)
            entries = await command(self._jobs.redis, "XRANGE", key, f"{seen + 1}-0", "+")
        return [decode(stretch, Stretch) for _, fields in entries for stretch in fields.values()]
