"""Kept recordings over a real Redis and a real store: a folder, and a server that speaks S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from prometheus_client import CollectorRegistry

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.scripted import Script, ScriptedEngine
from asr_worker.metrics import WorkerMetrics
from asr_worker.offline.arq_jobs import JobPolicy, OfflineJobs
from asr_worker.offline.enhance import Enhancer
from asr_worker.offline.transcribe import Transcriber
from asr_worker.offline.uploads import RedisUploads
from asr_worker.offline.verify import Verifier
from gateway.enhancement.arq_queue import ArqEnhanceQueue
from gateway.enhancement.enhancements import Enhancements, JobState, Limits, StoreFull
from gateway.metrics import GatewayMetrics
from gateway.usage.meter import UsageMeter
from shared.bus.redis_connections import ConnectionLimits, command, open_client
from shared.clock import ManualClock, SystemClock
from shared.enhancement.store import ObjectStore, StoreUnavailable, open_store
from shared.errors import UnknownJob
from shared.ids import Epoch, SessionId
from shared.pools import DEFAULT_POOL
from shared.protocol.segments import TaskOptions
from shared.recitation.report.report import VerifyReport
from shared.service.metrics import create_registry
from shared.transcription.recording import whole_text
from tests.integration.test_http_transcriber import OPTIONS, PCM, WORDS, find_loud
from tests.memory.usage import MemoryUsage

SESSION, EPOCH = SessionId("a-session-of-a-test"), Epoch("00000001")
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT", url)
        patch.setenv("AWS_ALLOW_HTTP", "true")
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        client.create_bucket(Bucket="kept")
        client.close()
        yield "s3://kept/recordings"
    server.stop()


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "file":
        return open_store(f"file://{tmp_path}/kept")
    return open_store(cast(str, request.getfixturevalue("s3")) + "/" + tmp_path.name)


@asynccontextmanager
async def keeping(
    store: ObjectStore, url: str, clock: ManualClock | SystemClock, max_bytes: int = 10_000_000
) -> AsyncIterator[Enhancements]:
    queue = ArqEnhanceQueue(url, HOUR_S)
    metrics = GatewayMetrics(CollectorRegistry())
    try:
        meter = UsageMeter(MemoryUsage(), clock, metrics)
        yield Enhancements(store, queue, Limits(HOUR_S, max_bytes), clock, metrics, meter)
    finally:
        await queue.close()


async def _judges_nothing(pcm16: bytes, verses: str, language: str) -> VerifyReport:
    raise AssertionError(f"{verses} was not recited")


@asynccontextmanager
async def worker(store: ObjectStore, url: str) -> AsyncIterator[None]:
    stop, clock = asyncio.Event(), SystemClock()
    executor = EngineExecutor(ScriptedEngine(Script(vocabulary=WORDS, kind="words")), clock)
    control = open_client(url, ConnectionLimits(max_connections=4))
    transcriber = Transcriber(executor, RedisUploads(control), 2, find_loud)
    jobs = OfflineJobs(
        url,
        cast(Verifier, None),
        transcriber,
        JobPolicy(poll_s=0.02),
        WorkerMetrics(create_registry()),
        clock,
        Enhancer(store, transcriber.hear, _judges_nothing, "scripted", clock),
    )
    running = asyncio.create_task(jobs.run(stop), name="jobs")
    try:
        yield
    finally:
        stop.set()
        await running
        await control.aclose(close_connection_pool=True)
        executor.close()


async def accept(kept: Enhancements, pcm: bytes = PCM, options: TaskOptions = OPTIONS) -> str:
    return await kept.accept(SESSION, EPOCH, "tenant", DEFAULT_POOL, pcm, options)


async def until(kept: Enhancements, job_id: str, there: Callable[[JobState], bool]) -> JobState:
    async with asyncio.timeout(60):
        while not there(state := await kept.state(job_id, "tenant")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return state


async def names(store: ObjectStore) -> set[str]:
    return {one.path.rpartition("/")[2] for one in [one async for one in store.list()] if "enh_" in one.path}


async def test_a_recording_is_transcribed_and_its_audio_is_deleted(
    store: ObjectStore, redis_urls: tuple[str, ...]
) -> None:
    async with keeping(store, redis_urls[0], SystemClock()) as kept:
        job_id = await accept(kept)
        assert (await kept.state(job_id, "tenant")).status == "queued"
        assert await names(store) == {"audio.wav", "order.json"}
        assert await accept(kept) == job_id  # the client came back for its last event
        async with worker(store, redis_urls[0]):
            state = await until(kept, job_id, lambda state: state.outcome is not None)
            assert state.status == "done"
            assert state.outcome is not None
            assert whole_text(state.outcome.stretches) == " ".join(
                ["one"] * 10 + ["two"] * 10 + ["three"] * 10
            )
        assert "audio.wav" not in await names(store)
        with pytest.raises(UnknownJob):
            await kept.state(job_id, "somebody else")
        with pytest.raises(UnknownJob):
            await kept.forget(job_id, "somebody else")
        await kept.forget(job_id, "tenant")
        assert await names(store) == set()
        with pytest.raises(UnknownJob):
            await kept.state(job_id, "tenant")


async def test_a_redis_that_forgets_everything_loses_no_job(
    tmp_path: Path, redis_urls: tuple[str, ...]
) -> None:
    store = open_store(f"file://{tmp_path}/kept")
    async with keeping(store, redis_urls[0], SystemClock()) as kept:
        job_id = await accept(kept)
        control = open_client(redis_urls[0], ConnectionLimits(max_connections=1))
        await command(control, "FLUSHALL")
        await control.aclose(close_connection_pool=True)
        async with worker(store, redis_urls[0]):
            await kept.sweep()
            assert (await until(kept, job_id, lambda state: state.outcome is not None)).status == "done"


async def test_what_cannot_be_transcribed_says_why(tmp_path: Path, redis_urls: tuple[str, ...]) -> None:
    store = open_store(f"file://{tmp_path}/kept")
    async with keeping(store, redis_urls[0], SystemClock()) as kept:
        job_id = await accept(kept)
        await store.put(f"{job_id}/audio.wav", b"no recording")
        async with worker(store, redis_urls[0]):
            state = await until(kept, job_id, lambda state: state.outcome is not None)
    assert state.status == "failed"
    assert state.outcome is not None
    assert state.outcome.code == "bad_audio"
    assert await names(store) == {"order.json", "outcome.json"}


async def test_too_old_jobs_fail_and_are_then_forgotten(tmp_path: Path, redis_urls: tuple[str, ...]) -> None:
    store, clock = open_store(f"file://{tmp_path}/kept"), ManualClock(SystemClock().wall_ms() / 1000)
    async with keeping(store, redis_urls[0], clock) as kept:
        job_id = await accept(kept)
        await kept.sweep()
        assert (await kept.state(job_id, "tenant")).status == "queued"
        clock.advance(HOUR_S + 60)
        await kept.sweep()
        state = await kept.state(job_id, "tenant")
        assert state.status == "failed"
        assert state.outcome is not None
        assert state.outcome.code == "expired"
        assert await names(store) == {"order.json", "outcome.json"}
        await kept.sweep()
        assert await names(store) == set()


async def test_no_more_is_kept_than_allowed(tmp_path: Path, redis_urls: tuple[str, ...]) -> None:
    store = open_store(f"file://{tmp_path}/kept")
    async with keeping(store, redis_urls[0], SystemClock(), max_bytes=len(PCM) - 1) as kept:
        with pytest.raises(StoreFull):
            await accept(kept)
    assert await names(store) == set()


async def test_a_store_that_is_away_is_named(tmp_path: Path, redis_urls: tuple[str, ...]) -> None:
    store = open_store(f"file://{tmp_path}/kept")
    (tmp_path / "kept").rmdir()
    (tmp_path / "kept").write_bytes(b"a file where the folder was")
    async with keeping(store, redis_urls[0], SystemClock()) as kept:
        with pytest.raises(StoreUnavailable):
            await accept(kept, np.ones(100, np.int16).tobytes())
