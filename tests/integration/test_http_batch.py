"""`ArqVerifier` on a real Redis, with an arq worker that answers by script."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from arq import func
from arq.connections import ArqRedis
from arq.worker import Worker
from redis.asyncio import Redis

from cli.ports import free_port
from gateway.admission.circuit import Circuit, CircuitPolicy, CircuitState
from gateway.offline.arq_client import ArqVerifier
from shared.bus import keys
from shared.clock import ManualClock
from shared.errors import BadAudio, BusUnavailable, QueueFull, Unavailable
from shared.ids import Epoch, PoolName, SessionId
from shared.protocol.jobs import (
    JOB_QUEUE,
    VERIFY,
    VerifyReply,
    VerifySession,
    VerifyUpload,
    decode_request,
    dump_job,
    job_queue,
    load_job,
)
from tests.unit.gateway.harness import report_on

SESSION, EPOCH = SessionId("session-0001"), Epoch("e1")
ACCURATE, FAST = PoolName("accurate"), PoolName("fast")


class ScriptedJob:
    """The worker's side: answers each request with a report, or as told."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        self.requests: list[VerifySession | VerifyUpload] = []
        self.uploads: list[bytes] = []
        self.reply: VerifyReply | None = None

    async def answer(self, data: bytes) -> bytes:
        request = decode_request(data)
        self.requests.append(request)
        if isinstance(request, VerifyUpload):
            self.uploads.append(await self.redis.get(keys.upload(request.upload_id)) or b"")
        report = msgspec.msgpack.encode(report_on(request.passage))
        return msgspec.msgpack.encode(self.reply or VerifyReply(report=report))


@asynccontextmanager
async def job_worker(url: str, queue: str = JOB_QUEUE) -> AsyncIterator[ScriptedJob]:
    redis = ArqRedis.from_url(url)
    redis.job_serializer, redis.job_deserializer = dump_job, load_job
    redis.default_queue_name, redis.expires_extra_ms = queue, 1000
    job = ScriptedJob(redis)

    async def answer(_context: dict[Any, Any], data: bytes) -> bytes:
        return await job.answer(data)

    coroutine: Any = answer  # arq's own Protocol of a job wants *args
    worker = Worker(
        [func(coroutine, name=VERIFY)],
        redis_pool=redis,
        queue_name=queue,
        health_check_interval=1,
        job_serializer=dump_job,
        job_deserializer=load_job,
        handle_signals=False,
        poll_delay=0.02,
        keep_result=30,
    )
    running = asyncio.create_task(worker.async_run(), name="arq-worker")
    try:
        yield job
    finally:
        running.cancel()
        await asyncio.gather(running, *worker.tasks.values(), return_exceptions=True)
        await redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def verifier(url: str, **options: Any) -> AsyncIterator[ArqVerifier]:
    made = ArqVerifier(url, **options)
    try:
        yield made
    finally:
        await made.close()


async def test_a_sessions_report_comes_back(redis_urls: tuple[str, ...]) -> None:
    async with job_worker(redis_urls[0]) as job, verifier(redis_urls[0]) as batch:
        report = await batch.verify_session(SESSION, EPOCH, "112:1-4")
    assert len(report.word_analysis) == 15
    (request,) = job.requests
    assert isinstance(request, VerifySession)
    assert (request.session_id, request.passage) == (SESSION, "112:1-4")


async def test_two_gateways_that_finish_one_session_share_one_job(redis_urls: tuple[str, ...]) -> None:
    async with job_worker(redis_urls[0]) as job, verifier(redis_urls[0]) as a, verifier(redis_urls[0]) as b:
        first, second = await asyncio.gather(
            a.verify_session(SESSION, EPOCH, "112"), b.verify_session(SESSION, EPOCH, "112")
        )
        again = await a.verify_session(SESSION, EPOCH, "112")
        await a.verify_session(SESSION, Epoch("e2"), "112")
    assert first == second == again
    assert len(job.requests) == 2


async def marked(url: str, queue: str) -> None:
    """Until a worker says that it takes jobs from this queue."""
    async with Redis.from_url(url) as redis, asyncio.timeout(5):
        while not await redis.exists(f"{queue}:health-check"):  # noqa: ASYNC110 - another task's key
            await asyncio.sleep(0.01)


async def test_the_pool_that_is_ready_first_in_the_list_judges(redis_urls: tuple[str, ...]) -> None:
    url, queue = redis_urls[0], job_queue(ACCURATE)
    async with job_worker(url) as any_worker, verifier(url) as batch:
        await batch.verify_session(SESSION, EPOCH, "112", pools=(ACCURATE, FAST))
        assert len(any_worker.requests) == 1
        async with job_worker(url, job_queue(FAST)) as fast, job_worker(url, queue) as accurate:
            await marked(url, job_queue(FAST))
            await marked(url, queue)
            await batch.verify_session(SESSION, Epoch("e2"), "112", pools=(ACCURATE, FAST))
            await batch.verify_upload(bytes(100), "1:1", pools=(FAST,))
    assert (len(accurate.requests), len(fast.requests), len(any_worker.requests)) == (1, 1, 1)


async def test_a_job_whose_pool_has_gone_is_judged_by_the_next_one(redis_urls: tuple[str, ...]) -> None:
    url, queue = redis_urls[0], job_queue(ACCURATE)
    async with Redis.from_url(url) as redis, job_worker(url) as other, verifier(url) as batch:
        await redis.set(f"{queue}:health-check", b"was here", ex=1)
        report = await batch.verify_session(SESSION, EPOCH, "112:1-4", pools=(ACCURATE,))
        assert report.verse_range == "112:1-4"
        assert len(other.requests) == 1
        assert await redis.zcard(queue) == 0


async def test_two_gateways_that_see_different_pools_share_one_job(redis_urls: tuple[str, ...]) -> None:
    url, queue = redis_urls[0], job_queue(ACCURATE)
    async with Redis.from_url(url) as redis, verifier(url) as a, verifier(url) as b:
        await redis.set(f"{queue}:health-check", b"is here", ex=60)
        first = asyncio.create_task(a.verify_session(SESSION, EPOCH, "112", pools=(ACCURATE,)))
        async with asyncio.timeout(5):
            while not await redis.zcard(queue):  # noqa: ASYNC110 - another task's key
                await asyncio.sleep(0.01)
        await redis.delete(f"{queue}:health-check")
        second = asyncio.create_task(b.verify_session(SESSION, EPOCH, "112", pools=(ACCURATE,)))
        async with job_worker(url) as other, job_worker(url, queue) as accurate:
            assert await first == await second
    assert len(other.requests) + len(accurate.requests) == 1


async def test_an_upload_travels_beside_the_job_and_is_not_left_behind(redis_urls: tuple[str, ...]) -> None:
    async with job_worker(redis_urls[0]) as job, verifier(redis_urls[0]) as batch:
        await batch.verify_upload(b"\1\2" * 1000, "1:1")
    assert job.uploads == [b"\1\2" * 1000]
    async with Redis.from_url(redis_urls[0]) as redis:
        assert [key async for key in redis.scan_iter("asr:upload:*")] == []


async def test_the_jobs_own_failure_is_raised_as_what_it_is(redis_urls: tuple[str, ...]) -> None:
    async with job_worker(redis_urls[0]) as job, verifier(redis_urls[0]) as batch:
        job.reply = VerifyReply(code="bad_audio", message="only silence")
        with pytest.raises(BadAudio, match="only silence"):
            await batch.verify_upload(bytes(100), "1:1")


async def test_a_failure_is_gone_once_it_was_told(redis_urls: tuple[str, ...]) -> None:
    """It holds the frames it came through; they must not wait for the garbage collector."""
    left: weakref.ref[BadAudio] | None = None
    async with job_worker(redis_urls[0]) as job, verifier(redis_urls[0]) as batch:
        job.reply = VerifyReply(code="bad_audio", message="only silence")
        gc.disable()
        try:
            await batch.verify_upload(bytes(100), "1:1")
        except BadAudio as failure:
            left = weakref.ref(failure)
        finally:
            gc.enable()
        assert left is not None
        assert left() is None


async def test_without_a_worker_it_gives_up_in_time(redis_urls: tuple[str, ...]) -> None:
    async with verifier(redis_urls[0], timeout_s=0.2) as batch:
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            await batch.verify_session(SESSION, EPOCH, "112", samples=1)


async def test_a_job_that_redis_lost_is_asked_for_again(redis_urls: tuple[str, ...]) -> None:
    async with verifier(redis_urls[0]) as batch, Redis.from_url(redis_urls[0]) as redis:
        asked = asyncio.create_task(batch.verify_session(SESSION, EPOCH, "112:1-4", samples=1))
        async with asyncio.timeout(10):
            while not await redis.zcard(JOB_QUEUE):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await redis.flushall()
        async with job_worker(redis_urls[0]) as job:
            report = await asked
    assert len(report.word_analysis) == 15
    assert len(job.requests) == 1


async def test_the_clock_of_a_gateway_does_not_delay_its_jobs(
    redis_urls: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """arq orders jobs by the sender's clock, and workers take them once their own has reached that."""
    monkeypatch.setattr("arq.connections.timestamp_ms", lambda: int((time.time() + 90) * 1000))
    async with (
        verifier(redis_urls[0]) as batch,
        Redis.from_url(redis_urls[0], decode_responses=True) as redis,
    ):
        asked = asyncio.create_task(batch.verify_session(SESSION, EPOCH, "112:1-4", samples=1))
        async with asyncio.timeout(10):
            while not (queued := await redis.zrange(JOB_QUEUE, 0, -1, withscores=True)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with job_worker(redis_urls[0]):
            await asked
    assert queued[0][1] < time.time() * 1000


async def test_jobs_that_wait_are_bounded(redis_urls: tuple[str, ...]) -> None:
    async with verifier(redis_urls[0], timeout_s=0.1, max_queued=1) as batch:
        with pytest.raises(Unavailable):
            await batch.verify_session(SESSION, EPOCH, "112", samples=1)
        with pytest.raises(QueueFull):
            await batch.verify_session(SESSION, Epoch("e2"), "112")


async def test_an_absent_redis_is_named() -> None:
    async with verifier(f"redis://127.0.0.1:{free_port()}/0") as batch:
        with pytest.raises(BusUnavailable, match="control Redis"):
            await batch.verify_session(SESSION, EPOCH, "112")


async def test_uploads_that_nobody_answers_are_refused_at_once_until_a_report_comes(
    redis_urls: tuple[str, ...],
) -> None:
    url, clock = redis_urls[0], ManualClock()
    circuit = Circuit(CircuitPolicy(failures=2), clock)
    async with verifier(url, timeout_s=0.1, circuit=circuit) as impatient:
        for _ in range(2):
            with pytest.raises(Unavailable, match="no worker finished"):
                await impatient.verify_upload(bytes(100), "1:1")
        with pytest.raises(Unavailable, match="for a while") as refused:
            await impatient.verify_upload(bytes(100), "1:1")
        assert refused.value.retry_after_s is not None
        assert circuit.state is CircuitState.OPEN
    async with verifier(url, circuit=circuit) as batch, job_worker(url):
        await batch.verify_session(SESSION, EPOCH, "112")  # sessions are not held back
        await batch.verify_upload(bytes(100), "1:1")
