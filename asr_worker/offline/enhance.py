"""A kept recording to a transcript with the times of words, and the report of a recitation; the audio is
deleted after that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from shared.clock import Clock
from shared.enhancement import records
from shared.enhancement.records import AUDIO, ORDER, OUTCOME, EnhanceJob, Order, Outcome, path
from shared.enhancement.store import KeptObjects
from shared.errors import AudioLost, BusUnavailable, RattilError, Unavailable
from shared.protocol.segments import TaskOptions
from shared.recitation.report.report import VerifyReport
from shared.transcription.recording import Stretch

Hear = Callable[[bytes, TaskOptions], Awaitable[list[Stretch]]]
"""See `Transcriber.hear`."""

Judge = Callable[[bytes, str, str], Awaitable[VerifyReport]]
"""See `Verifier.judge`."""


class EnhanceReply(msgspec.Struct, frozen=True):
    """What the job returns: nothing but its code; the transcript is in the store."""

    code: str = ""
    message: str = ""


class Enhancer:
    """Runs enhancement jobs. Running one twice does no harm."""

    def __init__(self, store: KeptObjects, hear: Hear, judge: Judge, model: str, clock: Clock) -> None:
        """`model`: what `hear` and `judge` hear with."""
        self._store = store
        self._hear = hear
        self._judge = judge
        self._model = model
        self._clock = clock

    async def enhance(self, job: EnhanceJob, limit_s: float) -> EnhanceReply:
        """Write the outcome, then delete the audio. A job that was deleted leaves nothing behind.

        Raises `Unavailable` where store or Redis cannot be used: the job has no outcome yet and is run again.
        """
        order_data = await self._store.get(path(job.job_id, ORDER))
        if order_data is None or await self._store.get(path(job.job_id, OUTCOME)) is not None:
            return EnhanceReply()
        outcome = await self._outcome(records.decode(order_data, Order), limit_s)
        await self._store.put(path(job.job_id, OUTCOME), records.encode(outcome))
        await self._store.delete(path(job.job_id, AUDIO))
        if await self._store.get(path(job.job_id, ORDER)) is None:  # deleted while it was transcribed
            await self._store.delete(path(job.job_id, OUTCOME))
        return EnhanceReply(outcome.code, outcome.message)

    async def _outcome(self, order: Order, limit_s: float) -> Outcome:
        try:
            wav = await self._store.get(path(order.job_id, AUDIO))
            if wav is None:
                raise AudioLost("the kept recording is not there any more")
            pcm16 = await asyncio.to_thread(records.from_wav, wav)
            # A little earlier than the job's own limit, which would leave no outcome.
            async with asyncio.timeout(0.9 * limit_s):
                heard = await self._hear(pcm16, order.options)
                report = None
                if order.passage:
                    report = await self._judge(pcm16, order.passage, order.options.language)
        except TimeoutError:
            return self._failed("timeout", f"the recording was not transcribed within {limit_s:.0f} s")
        except (BusUnavailable, Unavailable):
            raise
        except RattilError as error:
            return self._failed(error.code, error.for_client)
        return Outcome(self._clock.wall_ms(), tuple(heard), self._model, report=report)

    def _failed(self, code: str, message: str) -> Outcome:
        return Outcome(self._clock.wall_ms(), model=self._model, code=code, message=message)
