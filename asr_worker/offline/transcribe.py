"""A whole recording to text: find speech, decode it window by window, tell each stretch to who follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.offline.chunking import Chunk
from asr_worker.offline.speech_windows import find_speech, joined
from asr_worker.speakers.turns import Turn, told_apart
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Samples, as_float, samples_of
from shared.errors import BadAudio, BadRequest, DecodeFailed, StateLost
from shared.hearing import HeardWord
from shared.protocol.jobs import MAX_RECORDING_S
from shared.protocol.segments import TaskOptions
from shared.protocol.transcribe_jobs import TranscribeReply, TranscribeUpload
from shared.transcription.recording import Stretch, spoken_language

LONGEST_S = 30.0
"""The longest window, where the model takes one: what Whisper was trained with."""

FindSpeech = Callable[[Samples, float], list[Chunk]]
"""See `speech_windows.find_speech`."""

WhoSpeaks = Callable[[Samples, Sequence[Chunk]], list[Turn]]
"""See `Diarizer.turns`."""


class FollowedUploads(Protocol):
    """Recordings that wait for their job, and what was told of them. All raise `BusUnavailable`."""

    async def fetch(self, upload_id: str) -> bytes | None:
        """PCM16 mono 16 kHz, None when it has expired or nobody waits for it any more."""
        ...

    async def wanted(self, upload_id: str) -> bool:
        """Whether somebody still waits for its transcript."""
        ...

    async def told(self, upload_id: str) -> list[Stretch]:
        """Every stretch that was told, in order: by an earlier run of the same job."""
        ...

    async def tell(self, upload_id: str, number: int, stretch: Stretch) -> None:
        """Stretch `number`, from 1 on. What was told under this number before stays."""
        ...


class Transcriber:
    """Transcribes recordings with the worker's own engine; live segments go before its batches."""

    def __init__(
        self,
        executor: EngineExecutor,
        uploads: FollowedUploads,
        batch: int,
        find: FindSpeech = find_speech,
        who_speaks: WhoSpeaks | None = None,
    ) -> None:
        """`batch`: windows decoded together, which is what a live segment may have to wait for. `who_speaks`:
        tells voices apart where that is asked for."""
        self._who_speaks = who_speaks
        self._executor = executor
        self._uploads = uploads
        self._batch = batch
        self._find = find
        self._longest_s = min(LONGEST_S, executor.capabilities.max_window_s)

    async def transcribe(self, request: TranscribeUpload) -> TranscribeReply:
        """The transcript as a reply.

        Raises `BadRequest` for a language that the model does not know, `BadAudio`, `StateLost` when
        nobody waits for the recording any more, `DecodeFailed`, also where voices cannot be told apart and
        should be, `BusUnavailable`.
        """
        if request.options.speakers and self._who_speaks is None:
            raise DecodeFailed("voices cannot be told apart: SPEAKER_MODEL is not set on this worker")
        pcm16 = await self._uploads.fetch(request.upload_id)
        if pcm16 is None:
            raise _gone()
        pcm = _checked(pcm16)
        speech = await asyncio.to_thread(self._find, pcm, self._longest_s)
        windows = self._windows(speech)
        heard = (await self._uploads.told(request.upload_id))[: len(windows)] if request.follow else []
        while len(heard) < len(windows):
            if heard and not await self._uploads.wanted(request.upload_id):
                raise _gone()
            options = _with_language(request.options, heard)
            # The first one alone: it says the language of all, and who follows sees something soon.
            alone = not heard and (request.follow or not options.language)
            group = windows[len(heard) : len(heard) + (1 if alone else self._batch)]
            for stretch in await self._decode(pcm, group, options):
                heard.append(stretch)
                if request.follow:
                    await self._uploads.tell(request.upload_id, len(heard), stretch)
        return TranscribeReply(tuple(await self._with_speakers(pcm, speech, heard, request.options)))

    async def hear(self, pcm16: bytes, options: TaskOptions) -> list[Stretch]:
        """Every stretch with speech of a recording, PCM16 mono 16 kHz. Raises as `transcribe`, but without
        `who_speaks` speakers have no names."""
        pcm = _checked(pcm16)
        speech = await asyncio.to_thread(self._find, pcm, self._longest_s)
        windows = self._windows(speech)
        heard: list[Stretch] = []
        while len(heard) < len(windows):
            # As long as the language is not known, one at a time: the first one with words says it.
            known = _with_language(options, heard)
            many = self._batch if known.language else 1
            heard += await self._decode(pcm, windows[len(heard) : len(heard) + many], known)
        return await self._with_speakers(pcm, speech, heard, options)

    def _windows(self, speech: Sequence[Chunk]) -> list[Chunk]:
        return joined(speech, int(self._longest_s * SAMPLE_RATE))

    async def _with_speakers(
        self, pcm: Samples, speech: Sequence[Chunk], heard: list[Stretch], options: TaskOptions
    ) -> list[Stretch]:
        if not options.speakers or self._who_speaks is None:
            return heard
        turns = await asyncio.to_thread(self._who_speaks, pcm, speech)
        return await asyncio.to_thread(told_apart, heard, turns)

    async def _decode(self, pcm: Samples, group: Sequence[Chunk], options: TaskOptions) -> list[Stretch]:
        items = [EngineItem(as_float(pcm[window.start : window.end]), options) for window in group]
        decoded = await self._executor.decode(items, live=False)
        return [_stretch(*pair) for pair in zip(group, decoded.outcomes, strict=True)]


def _with_language(options: TaskOptions, heard: Sequence[Stretch]) -> TaskOptions:
    """The language that was found is that of the whole recording."""
    if options.language:
        return options
    return msgspec.structs.replace(options, language=spoken_language(heard))


def _stretch(window: Chunk, outcome: EngineOutput | Exception) -> Stretch:
    if isinstance(outcome, BadRequest):
        raise outcome
    if isinstance(outcome, Exception):
        at_s = window.start / SAMPLE_RATE
        raise DecodeFailed(f"the recording could not be recognised at {at_s:.1f} s; try again") from outcome
    start_ms = window.start * 1000 // SAMPLE_RATE
    return Stretch(
        start_ms,
        window.end * 1000 // SAMPLE_RATE,
        outcome.text,
        tuple(_placed(word, start_ms) for word in outcome.words),
        outcome.language,
        outcome.no_speech,
    )


def _placed(word: HeardWord, by_ms: int) -> HeardWord:
    """With times of the recording, not of the window."""
    if word.start_ms is None or word.end_ms is None:
        return word
    return msgspec.structs.replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms)


def _checked(pcm16: bytes) -> Samples:
    pcm = samples_of(pcm16)
    if not pcm.size:
        raise BadAudio("the recording is empty; send one with sound")
    if pcm.size > MAX_RECORDING_S * SAMPLE_RATE:
        seconds = pcm.size / SAMPLE_RATE
        raise BadAudio(f"the recording has {seconds:.0f} s, at most {MAX_RECORDING_S} s are taken; cut it")
    return pcm


def _gone() -> StateLost:
    return StateLost("the uploaded audio is not there any more; send it again")
