"""`ArqTranscriber` and the worker's jobs on a real Redis, with a scripted engine between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.scripted import FAIL_ITEM, Script, ScriptedEngine, speak, speak_marker
from asr_worker.metrics import WorkerMetrics
from asr_worker.offline.arq_jobs import JobPolicy, OfflineJobs
from asr_worker.offline.chunking import Chunk
from asr_worker.offline.transcribe import Transcriber
from asr_worker.offline.uploads import RedisUploads
from asr_worker.offline.verify import Verifier
from gateway.offline.arq_transcriber import ArqTranscriber
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Samples
from shared.bus import keys
from shared.bus.redis_connections import ConnectionLimits, command, open_client
from shared.clock import SystemClock
from shared.errors import BadAudio, BusUnavailable, DecodeFailed, Unavailable
from shared.ids import PoolName
from shared.protocol.segments import TaskOptions
from shared.service.metrics import create_registry
from shared.transcription.recording import Stretch, whole_text

WORDS = ("one", "two", "three", "four")
SILENCE = [None] * 40
PCM = speak([*["one"] * 10, *SILENCE, *["two"] * 10, *SILENCE, *["three"] * 10], WORDS).tobytes()
OPTIONS = TaskOptions("en")
POOL = PoolName("default")


def find_loud(pcm: Samples, longest_s: float) -> list[Chunk]:
    seconds = range(0, pcm.size, SAMPLE_RATE)
    return [Chunk(at, at + SAMPLE_RATE) for at in seconds if pcm[at : at + SAMPLE_RATE].any()]


class HeldEngine(ScriptedEngine):
    """Decodes one batch for each `let`."""

    def __init__(self) -> None:
        super().__init__(Script(vocabulary=WORDS, kind="words"))
        self.decoded = 0

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        self.decoded += len(items)
        return super().decode(items)


@asynccontextmanager
async def offline_worker(url: str) -> AsyncIterator[HeldEngine]:
    engine, stop = HeldEngine(), asyncio.Event()
    executor = EngineExecutor(engine, SystemClock())
    control = open_client(url, ConnectionLimits(max_connections=4))
    transcriber = Transcriber(executor, RedisUploads(control), 2, find_loud)
    policy = JobPolicy(poll_s=0.02)
    metrics = WorkerMetrics(create_registry())
    jobs = OfflineJobs(url, cast(Verifier, None), transcriber, policy, metrics, SystemClock())
    running = asyncio.create_task(jobs.run(stop), name="jobs")
    try:
        yield engine
    finally:
        stop.set()
        await running
        await control.aclose(close_connection_pool=True)
        executor.close()


@asynccontextmanager
async def transcriber(url: str, **options: Any) -> AsyncIterator[ArqTranscriber]:
    made = ArqTranscriber(url, **options)
    try:
        yield made
    finally:
        await made.close()


async def keys_left(url: str) -> list[bytes]:
    async with Redis.from_url(url) as redis:
        return [key async for key in redis.scan_iter("asr:upload:*")]


async def test_a_recording_becomes_text_and_is_not_left_behind(redis_urls: tuple[str, ...]) -> None:
    async with offline_worker(redis_urls[0]), transcriber(redis_urls[0]) as batch:
        heard = await batch.transcribe(PCM, OPTIONS, POOL)
    assert whole_text(heard) == " ".join(["one"] * 10 + ["two"] * 10 + ["three"] * 10)
    assert [stretch.start_ms for stretch in heard] == [0, 5000, 10_000]
    assert await keys_left(redis_urls[0]) == []


async def test_who_follows_gets_the_same_stretches_in_order(redis_urls: tuple[str, ...]) -> None:
    async with offline_worker(redis_urls[0]), transcriber(redis_urls[0]) as batch:
        followed = [stretch async for stretch in batch.follow(PCM, OPTIONS, POOL)]
        at_once = await batch.transcribe(PCM, OPTIONS, POOL)
    assert followed == list(at_once)
    assert await keys_left(redis_urls[0]) == []


async def test_who_stops_following_leaves_nothing_behind(redis_urls: tuple[str, ...]) -> None:
    async with offline_worker(redis_urls[0]), transcriber(redis_urls[0]) as batch:
        async with aclosing(batch.follow(PCM, OPTIONS, POOL)) as following:
            first = await anext(following)
        assert first.text == " ".join(["one"] * 10)
        assert await keys_left(redis_urls[0]) == []


async def test_a_stretch_that_was_told_never_changes(redis_urls: tuple[str, ...]) -> None:
    control = open_client(redis_urls[0], ConnectionLimits(max_connections=4))
    uploads = RedisUploads(control)
    try:
        await command(control, "SET", keys.upload("u"), b"", "EX", 60)
        await uploads.tell("u", 1, Stretch(0, 10, "first"))
        await uploads.tell("u", 1, Stretch(0, 10, "other"))
        await uploads.tell("u", 2, Stretch(10, 20, "second"))
        told = await uploads.told("u")
    finally:
        await control.aclose(close_connection_pool=True)
    assert [stretch.text for stretch in told] == ["first", "second"]


@pytest.mark.parametrize("follow", [False, True])
async def test_failures_of_the_job_come_back_as_they_are(redis_urls: tuple[str, ...], follow: bool) -> None:
    async with offline_worker(redis_urls[0]), transcriber(redis_urls[0]) as batch:

        async def asked(pcm16: bytes) -> list[Stretch]:
            if follow:
                return [stretch async for stretch in batch.follow(pcm16, OPTIONS, POOL)]
            return list(await batch.transcribe(pcm16, OPTIONS, POOL))

        with pytest.raises(DecodeFailed, match=r"0\.0 s"):
            await asked(speak_marker(FAIL_ITEM, 10).tobytes())
        with pytest.raises(BadAudio, match="empty"):
            await asked(b"")


async def test_without_a_worker_it_says_so_in_time(redis_urls: tuple[str, ...]) -> None:
    async with transcriber(redis_urls[0], timeout_s=0.2) as batch:
        with pytest.raises(Unavailable, match="no worker"):
            await batch.transcribe(bytes(3200), OPTIONS, POOL)
        with pytest.raises(Unavailable, match="no worker"):
            [stretch async for stretch in batch.follow(bytes(3200), OPTIONS, POOL)]
    assert await keys_left(redis_urls[0]) == []


async def test_a_redis_that_is_away_is_named() -> None:
    async with transcriber("redis://127.0.0.1:1") as batch:
        with pytest.raises(BusUnavailable):
            await batch.transcribe(bytes(3200), OPTIONS, POOL)


async def test_another_pools_worker_never_answers(redis_urls: tuple[str, ...]) -> None:
    async with offline_worker(redis_urls[0]) as engine, transcriber(redis_urls[0], timeout_s=0.5) as batch:
        with pytest.raises(Unavailable, match="no worker"):
            await batch.transcribe(bytes(3200), OPTIONS, PoolName("english"))
        assert engine.decoded == 0
