"""Real worker processes on real Redis shards: start, serve, drain, die, be replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import redis

from asr_worker.engines.scripted import CRASH_EXIT_CODE, CRASH_PROCESS, HAFS_SOUNDS, speak, speak_marker
from cli.embedded_redis import EmbeddedRedis
from cli.ports import free_port
from gateway.offline.arq_client import ArqVerifier
from shared.bus import keys
from shared.bus.ports import AudioChunk, SessionRecord
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_sessions import RedisSessionStore
from shared.clock import SystemClock
from shared.errors import StateLost
from shared.ids import PoolName, SessionId, new_connection_id, new_epoch, new_session_id, new_trace_id
from shared.protocol.segments import Segment, SegmentResult
from shared.recitation.reference.passage import VerseRange, load_passage

POOL = PoolName("default")
WINDOW = speak(HAFS_SOUNDS[:20]).tobytes()


@dataclass
class Process:
    """One worker process and where its probes are."""

    child: asyncio.subprocess.Process
    url: str

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.child.returncode is None:
            self.child.send_signal(number)
        async with asyncio.timeout(20):
            return await self.child.wait()


@asynccontextmanager
async def worker(
    redis_url: str, *, may_die: bool = False, env: dict[str, str] | None = None
) -> AsyncIterator[Process]:
    """A worker process with the scripted engine; ready, unless it may have died before."""
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "asr_worker",
        env={
            **os.environ,
            "REDIS_URL": redis_url,
            "ASR_ENGINE": "scripted",
            "ASR_RECLAIM_MS": "500",
            "ASR_RECLAIM_EVERY_MS": "50",
            "ASR_CLAIM_BLOCK_MS": "50",
            "HEARTBEAT_S": "0.5",
            "LOG_LEVEL": "warning",
            "WORKER_HTTP_PORT": str(port),
            **(env or {}),
        },
    )
    process = Process(child, f"http://127.0.0.1:{port}")
    try:
        if not may_die:
            await _ready(process)
        yield process
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def _ready(process: Process) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while process.child.returncode is None:
            try:
                if (await client.get(process.url + "/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)
    raise AssertionError(f"the worker ended with {process.child.returncode}")


async def _health(client: httpx.AsyncClient, process: Process) -> dict[str, object]:
    shown: dict[str, object] = (await client.get(process.url + "/health")).json()
    return shown


class Session:
    """A session in Redis that pushes windows and waits for results."""

    def __init__(self, store: RedisSessionStore) -> None:
        self.store = store
        self.record = SessionRecord(
            new_session_id(), new_connection_id(), new_epoch(), "recite", "112:1-4", POOL, created_ms=0
        )
        self.seq = 0

    async def push(self, pcm: bytes, audio: AudioChunk | None = None) -> None:
        now_ms = SystemClock().wall_ms()
        segment = Segment(
            session_id=self.record.session_id,
            connection_id=self.record.connection_id,
            epoch=self.record.epoch,
            seq=self.seq,
            start_sample=0,
            samples=len(pcm) // 2,
            audio=pcm,
            pool=POOL,
            trace_id=new_trace_id(),
            created_ms=now_ms,
            deadline_ms=now_ms + 5000,
        )
        self.seq += 1
        await self.store.push(self.record, segment, audio)

    async def results(self, count: int) -> list[SegmentResult]:
        async with asyncio.timeout(20):
            while True:
                page = await self.store.results_after(self.record.session_id, self.record.epoch, 0)
                if len(page.results) >= count:
                    return [logged.result for logged in page.results]
                await asyncio.sleep(0.01)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisSessionStore]:
    connections = RedisConnections(redis_url)
    yield RedisSessionStore(connections)
    await connections.close()


async def _sessions(store: RedisSessionStore, count: int) -> list[Session]:
    sessions = [Session(store) for _ in range(count)]
    for session in sessions:
        await session.store.open(session.record)
    return sessions


def _nothing_left(redis_urls: tuple[str, ...]) -> bool:
    clients = [redis.Redis.from_url(url) for url in redis_urls]
    lengths = [client.xlen(keys.segments(POOL)) for client in clients]
    for client in clients:
        client.close()
    return lengths == [0] * len(redis_urls)


async def test_serves_both_shards_and_drains_cleanly(
    redis_url: str, redis_urls: tuple[str, ...], store: RedisSessionStore
) -> None:
    sessions = await _sessions(store, 12)
    async with worker(redis_url) as process:
        for session in sessions:
            await session.push(WINDOW)
        for session in sessions:
            (result,) = await session.results(1)
            assert (result.outcome, result.seq) == ("result", 0)
            assert tuple(phone.symbol for phone in result.phones or ()) == HAFS_SOUNDS[:20]
        with redis.Redis.from_url(redis_urls[0]) as control:
            assert control.zcard(keys.WORKERS) == 1
            assert await process.stop() == 0
            assert control.zcard(keys.WORKERS) == 0
    assert _nothing_left(redis_urls)
    for url in redis_urls:
        with redis.Redis.from_url(url) as client:
            assert client.xinfo_consumers(keys.segments(POOL), keys.WORKER_GROUP) == []


async def test_a_killed_worker_is_replaced_without_loss(
    redis_url: str, redis_urls: tuple[str, ...], store: RedisSessionStore
) -> None:
    sessions = await _sessions(store, 8)
    async with worker(redis_url, env={"ASR_SCRIPTED_DELAY_MS": "400", "ASR_MAX_BATCH": "2"}) as slow:
        for session in sessions:
            for _ in range(2):
                await session.push(WINDOW)
        await sessions[0].results(1)
        assert await slow.stop(signal.SIGKILL) == -signal.SIGKILL
    async with worker(redis_url):
        for session in sessions:
            results = await session.results(2)
            assert sorted(result.seq for result in results) == [0, 1]
            assert {result.outcome for result in results} == {"result"}
    assert _nothing_left(redis_urls)


async def test_a_segment_that_crashes_workers_ends_as_poison(
    redis_url: str, store: RedisSessionStore
) -> None:
    poison, neighbour = await _sessions(store, 2)
    await poison.push(speak_marker(CRASH_PROCESS, 10).tobytes())
    await neighbour.push(WINDOW)
    suicidal = {"ASR_SCRIPTED_CRASH": "true", "ASR_MAX_DELIVERIES": "2"}
    for _ in range(2):
        async with worker(redis_url, may_die=True, env=suicidal) as crashing:
            async with asyncio.timeout(20):
                assert await crashing.child.wait() == CRASH_EXIT_CODE
    async with worker(redis_url, env=suicidal):
        (dropped,) = await poison.results(1)
        (result,) = await neighbour.results(1)
    assert (dropped.outcome, dropped.code) == ("dropped", "poison")
    assert result.outcome == "result"


async def test_verify_jobs(redis_url: str, redis_urls: tuple[str, ...], store: RedisSessionStore) -> None:
    words = load_passage(VerseRange.parse("112:1-4")).words
    pcm = speak([phone for word in words for phone in word.phones]).tobytes()
    (session,) = await _sessions(store, 1)
    await session.push(WINDOW, AudioChunk(0, pcm))
    verifier = ArqVerifier(redis_urls[0], timeout_s=20)
    try:
        async with worker(redis_url):
            of_session = await verifier.verify_session(
                session.record.session_id, session.record.epoch, "112:1-4"
            )
            of_upload = await verifier.verify_upload(pcm, "112:1-4")
            assert of_session.accuracy_score == of_upload.accuracy_score == 100.0
            with pytest.raises(StateLost):
                await verifier.verify_session(SessionId("unknown-session"), session.record.epoch, "112:1-4")
    finally:
        await verifier.close()


async def test_a_job_of_a_killed_worker_is_run_by_another(
    redis_url: str, redis_urls: tuple[str, ...], store: RedisSessionStore
) -> None:
    verifier = ArqVerifier(redis_urls[0], timeout_s=30)
    pcm = speak(HAFS_SOUNDS).tobytes()
    try:
        async with worker(redis_url, env={"ASR_SCRIPTED_DELAY_MS": "60000"}) as stuck:
            waiting = asyncio.create_task(verifier.verify_upload(pcm, "112:1-4"))
            with redis.Redis.from_url(redis_urls[0]) as control:
                async with asyncio.timeout(10):
                    while not control.keys("arq:in-progress:*"):  # noqa: ASYNC110 - another process's key
                        await asyncio.sleep(0.02)
            await stuck.stop(signal.SIGKILL)
        async with worker(redis_url):
            assert (await waiting).verse_range == "112:1-4"
    finally:
        await verifier.close()


async def test_a_second_signal_ends_it_at_once(redis_url: str, store: RedisSessionStore) -> None:
    (session,) = await _sessions(store, 1)
    async with worker(redis_url, env={"ASR_SCRIPTED_DELAY_MS": "60000"}) as stuck:
        await session.push(WINDOW)
        async with asyncio.timeout(10), httpx.AsyncClient() as client:
            while not (await _health(client, stuck))["in_flight"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        stuck.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10), httpx.AsyncClient() as client:
            while not (await _health(client, stuck))["draining"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        assert await stuck.stop(signal.SIGTERM) == 0
    async with worker(redis_url):
        assert [result.outcome for result in await session.results(1)] == ["result"]


async def test_a_redis_that_comes_back_empty_is_served_again(redis_server: EmbeddedRedis) -> None:
    async with worker(redis_server.url) as process:
        await _one_window_is_answered(redis_server.url)
        redis_server.restart(keep_data=False)
        await _one_window_is_answered(redis_server.url)
        await _ready(process)
        assert await process.stop() == 0


async def _one_window_is_answered(redis_url: str) -> None:
    connections = RedisConnections(redis_url)
    (session,) = await _sessions(RedisSessionStore(connections), 1)
    await session.push(WINDOW)
    (result,) = await session.results(1)
    assert result.outcome == "result"
    await connections.close()
