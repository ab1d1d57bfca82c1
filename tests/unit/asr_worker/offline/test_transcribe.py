"""A whole recording becomes text; who follows hears every stretch once; what cannot be heard says why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.scripted import FAIL_ITEM, Script, ScriptedEngine, speak, speak_marker
from asr_worker.offline.chunking import Chunk
from asr_worker.offline.transcribe import Transcriber, WhoSpeaks
from asr_worker.speakers.turns import Turn
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Samples
from shared.clock import SystemClock
from shared.errors import BadAudio, BadRequest, DecodeFailed, RattilError, StateLost
from shared.protocol.segments import TaskOptions
from shared.protocol.transcribe_jobs import TranscribeReply, TranscribeUpload
from shared.transcription.recording import Stretch, whole_text

WORDS = ("one", "two", "three", "four", "five", "six")


class Engine(ScriptedEngine):
    """Writes words; finds the language; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(Script(vocabulary=WORDS, kind="words"))
        self.batches: list[list[TaskOptions]] = []
        self.refuses: Exception | None = None

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        self.batches.append([item.options for item in items])
        if self.refuses is not None:
            return [self.refuses] * len(items)
        return [
            one
            if isinstance(one, Exception)
            else EngineOutput(one.text, one.words, None, item.options.language or "sv")
            for item, one in zip(items, super().decode(items), strict=True)
        ]


class Uploads:
    """One upload, and what was told of it."""

    def __init__(self, pcm16: bytes | None) -> None:
        self.pcm16 = pcm16
        self.heard: dict[int, Stretch] = {}
        self.looks = 0
        self.wanted_looks = 100

    async def fetch(self, upload_id: str) -> bytes | None:
        return self.pcm16

    async def wanted(self, upload_id: str) -> bool:
        self.looks += 1
        return self.looks <= self.wanted_looks

    async def told(self, upload_id: str) -> list[Stretch]:
        return list(self.heard.values())

    async def tell(self, upload_id: str, number: int, stretch: Stretch) -> None:
        self.heard.setdefault(number, stretch)


def find_loud(pcm: Samples, longest_s: float) -> list[Chunk]:
    """Every second in which something is loud."""
    seconds = range(0, pcm.size, SAMPLE_RATE)
    return [Chunk(at, min(at + SAMPLE_RATE, pcm.size)) for at in seconds if pcm[at : at + SAMPLE_RATE].any()]


def recording(*parts: Sequence[str | None]) -> NDArray[np.int16]:
    """Parts of a second and more, four seconds of silence between them: a window each."""
    silence = [None] * 40
    padded = [[*part, *[None] * (-len(part) % 10)] for part in parts]
    return speak([one for part in padded for one in [*part, *silence]], WORDS)


@asynccontextmanager
async def transcriber(
    uploads: Uploads, engine: Engine, batch: int = 2, who_speaks: WhoSpeaks | None = None
) -> AsyncIterator[Transcriber]:
    executor = EngineExecutor(engine, SystemClock())
    try:
        yield Transcriber(executor, uploads, batch, find_loud, who_speaks)
    finally:
        executor.close()


async def transcribe(
    uploads: Uploads, engine: Engine | None = None, language: str = "en", *, follow: bool = False
) -> TranscribeReply:
    samples = len(uploads.pcm16 or b"") // 2
    async with transcriber(uploads, engine or Engine()) as made:
        return await made.transcribe(TranscribeUpload("u", samples, TaskOptions(language), follow))


async def test_stretches_come_in_order_with_the_times_of_the_recording() -> None:
    uploads = Uploads(recording(["one", "two"], ["three"], ["four", "five", "six"]).tobytes())
    reply = await transcribe(uploads)
    assert [stretch.text for stretch in reply.stretches] == ["one two", "three", "four five six"]
    assert [stretch.start_ms for stretch in reply.stretches] == [0, 5000, 10_000]
    assert [stretch.language for stretch in reply.stretches] == ["en"] * 3
    assert [word.start_ms for word in reply.stretches[2].words] == [10_000, 10_100, 10_200]
    assert uploads.heard == {}


async def test_windows_are_decoded_in_batches_that_let_live_segments_through() -> None:
    engine = Engine()
    await transcribe(Uploads(recording(["one"], ["two"], ["three"], ["four"], ["five"]).tobytes()), engine)
    assert [len(batch) for batch in engine.batches] == [2, 2, 1]


async def test_a_language_that_nobody_named_is_found_once() -> None:
    engine = Engine()
    reply = await transcribe(Uploads(recording(["one"], ["two"], ["three"]).tobytes()), engine, "")
    assert [[options.language for options in batch] for batch in engine.batches] == [[""], ["sv", "sv"]]
    assert [stretch.language for stretch in reply.stretches] == ["sv"] * 3


async def test_who_follows_is_told_every_stretch() -> None:
    engine = Engine()
    uploads = Uploads(recording(["one"], ["two"], ["three"]).tobytes())
    reply = await transcribe(uploads, engine, follow=True)
    assert uploads.heard == dict(enumerate(reply.stretches, start=1))
    assert len(engine.batches[0]) == 1


async def test_a_job_that_runs_again_goes_on_where_the_first_one_was() -> None:
    engine = Engine()
    uploads = Uploads(recording(["one"], ["two"], ["three"]).tobytes())
    first = Stretch(0, 1000, "told by another worker", language="en")
    uploads.heard = {1: first}
    reply = await transcribe(uploads, engine, follow=True)
    assert reply.stretches[0] == first
    assert whole_text(reply.stretches[1:]) == "two three"
    assert sum(map(len, engine.batches)) == 2


async def test_silence_is_not_decoded() -> None:
    engine = Engine()
    reply = await transcribe(Uploads(bytes(32_000 * 3)), engine)
    assert reply.stretches == ()
    assert engine.batches == []


async def test_work_ends_when_nobody_waits_for_it_any_more() -> None:
    engine = Engine()
    uploads = Uploads(recording(["one"], ["two"], ["three"], ["four"], ["five"]).tobytes())
    uploads.wanted_looks = 1
    with pytest.raises(StateLost):
        await transcribe(uploads, engine)
    assert len(engine.batches) == 2


@pytest.mark.parametrize(
    ("pcm16", "error"),
    [
        (b"", BadAudio),
        (b"\0\0\0", BadAudio),
        (None, StateLost),
        (speak_marker(FAIL_ITEM, 10).tobytes(), DecodeFailed),
    ],
    ids=["empty", "odd bytes", "gone", "not decodable"],
)
async def test_what_cannot_be_transcribed_says_why(pcm16: bytes | None, error: type[RattilError]) -> None:
    with pytest.raises(error):
        await transcribe(Uploads(pcm16))


async def test_a_language_that_the_model_does_not_know_is_the_callers_mistake() -> None:
    engine = Engine()
    engine.refuses = BadRequest("the model has no language 'xx'")
    with pytest.raises(BadRequest, match="no language"):
        await transcribe(Uploads(recording(["one"]).tobytes()), engine, "xx")


def two_people(pcm: Samples, speech: Sequence[Chunk]) -> list[Turn]:
    """One says the first word, the other one all the others."""
    end_ms = speech[-1].end * 1000 // SAMPLE_RATE
    return [Turn(0, 100, 0), Turn(100, end_ms, 1)]


TALK = recording(["one", "two", "three"], ["four"]).tobytes()
APART = TaskOptions("en", True, None, speakers=True)


async def test_voices_are_told_apart_where_that_is_asked_for() -> None:
    async with transcriber(Uploads(TALK), Engine(), who_speaks=two_people) as made:
        reply = await made.transcribe(TranscribeUpload("u", len(TALK) // 2, APART))
        kept = await made.hear(TALK, APART)
        unasked = await made.hear(TALK, TaskOptions("en"))
    said = [(stretch.text, stretch.speaker) for stretch in reply.stretches]
    assert said == [("one", 0), ("two three", 1), ("four", 1)]
    assert kept == list(reply.stretches)
    assert [stretch.speaker for stretch in unasked] == [None, None]


async def test_a_worker_that_cannot_tell_voices_apart_says_so() -> None:
    async with transcriber(Uploads(TALK), Engine()) as made:
        with pytest.raises(DecodeFailed, match="SPEAKER_MODEL"):
            await made.transcribe(TranscribeUpload("u", len(TALK) // 2, APART))


async def test_a_kept_recording_is_transcribed_also_where_nobody_can_be_named() -> None:
    async with transcriber(Uploads(TALK), Engine()) as made:
        kept = await made.hear(TALK, APART)
    assert [(stretch.text, stretch.speaker) for stretch in kept] == [("one two three", None), ("four", None)]
