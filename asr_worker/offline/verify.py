"""A whole recording against a passage: windows, engine batches, review, report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.engine import EngineCapabilities, EngineItem, EngineOutput
from asr_worker.offline import chunking
from asr_worker.offline.chunking import Chunk, CutRules
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Samples, as_float, samples_of
from shared.audio.sound_facts import sound_facts
from shared.bus.ports import AudioChunk, SessionStore
from shared.clock import Clock
from shared.errors import AudioLost, BadAudio, DecodeFailed, StateLost
from shared.hearing import Hearing
from shared.protocol.jobs import MAX_RECORDING_S, VerifyReply, VerifyRequest, VerifySession
from shared.protocol.segments import TaskOptions
from shared.recitation.reference.passage import Passage, VerseRange, load_passage
from shared.recitation.report.report import VerifyReport, build_report
from shared.recitation.report.review import review

_NOT_JUDGED = ("pending", "not_judged")


class Uploads(Protocol):
    """Recordings that wait for their verify job."""

    async def fetch(self, upload_id: str) -> bytes | None:
        """PCM16 mono 16 kHz, None when it has expired. Raises `BusUnavailable`."""
        ...


class _Heard(NamedTuple):
    """Every window's hearing, in order; the engine's time, ms; whether some speech was too quiet to judge."""

    hearings: list[Hearing]
    inference_ms: int
    too_quiet: bool


class Verifier:
    """Grades recordings with the worker's own engine; live segments go before its batches."""

    def __init__(
        self, executor: EngineExecutor, store: SessionStore, uploads: Uploads, clock: Clock, batch: int
    ) -> None:
        """`batch`: windows decoded together, which is what a live segment may have to wait for."""
        self._executor = executor
        self._store = store
        self._uploads = uploads
        self._clock = clock
        self._batch = batch
        self._rules = CutRules.within(executor.capabilities.max_window_s)

    async def verify(self, request: VerifyRequest) -> VerifyReply:
        """The report as a reply.

        Raises `BadRequest`/`UnknownVerse` for the passage, `BadAudio`, `StateLost` when the audio is
        not stored any more (`AudioLost`: parts of it are missing), `DecodeFailed`, `BusUnavailable`.
        """
        began_s = self._clock.monotonic()
        passage = await asyncio.to_thread(load_passage, VerseRange.parse(request.passage))
        pcm16 = await self._audio(request)
        report = await self._report(passage, pcm16, request.language, began_s)
        return VerifyReply(report=msgspec.msgpack.encode(report))

    async def judge(self, pcm16: bytes, verses: str, language: str) -> VerifyReport:
        """The report on a recording that is at hand, PCM16 mono 16 kHz. Raises as `verify`."""
        began_s = self._clock.monotonic()
        passage = await asyncio.to_thread(load_passage, VerseRange.parse(verses))
        return await self._report(passage, pcm16, language, began_s)

    async def _report(self, passage: Passage, pcm16: bytes, language: str, began_s: float) -> VerifyReport:
        _check(pcm16)
        loaded_s = self._clock.monotonic()
        heard = await self._hear(pcm16, language)
        heard_s = self._clock.monotonic()
        timing_ms = {
            "load_ms": _ms(loaded_s - began_s),
            "decode_ms": _ms(heard_s - loaded_s),
            "inference_ms": heard.inference_ms,
            "audio_ms": len(pcm16) // 2 * 1000 // SAMPLE_RATE,
        }
        return await asyncio.to_thread(self._reviewed, passage, heard, timing_ms, began_s)

    def _reviewed(
        self, passage: Passage, heard: _Heard, timing_ms: dict[str, int], began_s: float
    ) -> VerifyReport:
        started_s = self._clock.monotonic()
        feedback = review(passage, heard.hearings)
        if heard.too_quiet and all(word.status in _NOT_JUDGED for word in feedback.words):
            feedback = msgspec.structs.replace(feedback, notice="too_quiet")
        ended_s = self._clock.monotonic()
        timing_ms |= {"review_ms": _ms(ended_s - started_s), "total_ms": _ms(ended_s - began_s)}
        model = self._executor.capabilities.model_version
        return build_report(passage, feedback, timing_ms, model=model)

    async def _audio(self, request: VerifyRequest) -> bytes:
        if isinstance(request, VerifySession):
            return _whole(await self._store.audio_from(request.session_id, 0), request.samples)
        pcm16 = await self._uploads.fetch(request.upload_id)
        if pcm16 is None:
            raise StateLost("the uploaded audio has expired before it could be verified; send it again")
        return pcm16

    async def _hear(self, pcm16: bytes, language: str) -> _Heard:
        pcm = samples_of(pcm16)
        capabilities = self._executor.capabilities
        options = TaskOptions(language=language, word_timestamps=capabilities.word_times)
        windows = await asyncio.to_thread(chunking.windows, pcm, self._rules)
        spoken = await asyncio.to_thread(chunking.audible, pcm16, windows)
        outputs: dict[Chunk, EngineOutput] = {}
        inference_ms = 0
        for group in chunking.chunks(spoken.chunks, self._batch):
            items = [EngineItem(as_float(pcm[window.start : window.end]), options) for window in group]
            decoded = await self._executor.decode(items, live=False)
            inference_ms += decoded.inference_ms
            for window, outcome in zip(group, decoded.outcomes, strict=True):
                if isinstance(outcome, Exception):
                    at_s = window.start / SAMPLE_RATE
                    raise DecodeFailed(
                        f"the recording could not be recognised at {at_s:.1f} s; try again"
                    ) from outcome
                outputs[window] = outcome
        hearings = await asyncio.to_thread(_hearings, pcm, windows, outputs, capabilities)
        return _Heard(hearings, inference_ms, spoken.too_quiet)


def _hearings(
    pcm: Samples,
    windows: Sequence[Chunk],
    outputs: Mapping[Chunk, EngineOutput],
    capabilities: EngineCapabilities,
) -> list[Hearing]:
    """Of every window, in order; one that was not decoded was silent."""
    hearings = []
    for window in windows:
        output = outputs.get(window)
        sound = None if output is None else sound_facts(as_float(pcm[window.start : window.end]))
        hearings.append(chunking.hearing(window, output, capabilities, sound))
    return hearings


def _whole(stretches: Sequence[AudioChunk], samples: int) -> bytes:
    """The session's audio in one piece. A hole is a loss, never silence, and so is an end that is missing."""
    if not stretches:
        raise AudioLost("the session's audio is not stored any more; send the whole recording")
    first = stretches[0]
    if first.start_sample > 0 or len(stretches) > 1 or len(first.pcm) < 2 * samples:
        raise AudioLost("parts of the session's audio were lost; send the whole recording")
    return first.pcm


def _check(pcm16: bytes) -> None:
    seconds = len(pcm16) / 2 / SAMPLE_RATE
    if not pcm16:
        raise BadAudio("the recording is empty; recite, then send it")
    if seconds > MAX_RECORDING_S:
        raise BadAudio(f"the recording has {seconds:.0f} s, at most {MAX_RECORDING_S} s are verified; cut it")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
