"""Verify jobs and a Redis that is away."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from arq import Retry
from arq.connections import ArqRedis

from asr_worker.metrics import WorkerMetrics
from asr_worker.offline.arq_jobs import JobPolicy, OfflineJobs
from asr_worker.offline.transcribe import Transcriber
from asr_worker.offline.verify import Verifier
from shared.clock import SystemClock
from shared.errors import BusUnavailable
from shared.ids import PoolName, SessionId
from shared.protocol.jobs import (
    JOB_QUEUE,
    VERIFY,
    VerifyReply,
    VerifyRequest,
    VerifySession,
    decode_reply,
    dump_job,
    encode_request,
    job_queue,
    load_job,
)
from shared.service.metrics import create_registry

JOB = encode_request(VerifySession(SessionId("session-1"), "112:1-4"))
CTX: dict[str, Any] = {"redis": None, "job_id": "verify-1"}  # the lease is only renewed after seconds


class AwayFor:
    """A verifier whose session store is away for the first `tries`."""

    def __init__(self, tries: int) -> None:
        self.left = tries

    async def verify(self, request: VerifyRequest) -> VerifyReply:
        if self.left:
            self.left -= 1
            raise BusUnavailable("the shard is away")
        return VerifyReply(report=b"graded")


def jobs(verifier: AwayFor, patience_s: float) -> OfflineJobs:
    policy = JobPolicy(bus_patience_s=patience_s)
    metrics = WorkerMetrics(create_registry())
    no_transcriber = cast(Transcriber, None)
    return OfflineJobs(
        "redis://unused", cast(Verifier, verifier), no_transcriber, policy, metrics, SystemClock()
    )


async def test_a_shard_that_is_away_for_a_moment_costs_no_try() -> None:
    reply = decode_reply(await jobs(AwayFor(3), 10.0).verify(CTX, JOB))
    assert reply.report == b"graded"


async def test_a_shard_that_stays_away_puts_the_job_back() -> None:
    with pytest.raises(Retry):
        await jobs(AwayFor(1000), 0.0).verify(CTX, JOB)


class Busy:
    """A verifier that works until it is let go; counts how many work at once."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.at_work = self.most = 0

    async def verify(self, request: VerifyRequest) -> VerifyReply:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await self.free.wait()
        self.at_work -= 1
        return VerifyReply(report=b"graded")


async def test_both_queues_together_have_so_many_jobs_at_once(redis_urls: tuple[str, ...]) -> None:
    busy, stop, metrics = Busy(), asyncio.Event(), WorkerMetrics(create_registry())
    policy = JobPolicy(max_jobs=2, poll_s=0.02, pool=PoolName("fast"))
    running = asyncio.create_task(
        OfflineJobs(
            redis_urls[0], cast(Verifier, busy), cast(Transcriber, None), policy, metrics, SystemClock()
        ).run(stop)
    )
    redis = ArqRedis.from_url(redis_urls[0])
    redis.job_serializer, redis.job_deserializer = dump_job, load_job
    queues = (JOB_QUEUE, job_queue(policy.pool))
    try:
        jobs = [
            await redis.enqueue_job(VERIFY, JOB, _job_id=f"job-{number}", _queue_name=queues[number % 2])
            for number in range(6)
        ]
        async with asyncio.timeout(10):
            while busy.at_work < 2:  # noqa: ASYNC110 - another task's count
                await asyncio.sleep(0.01)
            busy.free.set()
            for job in jobs:
                assert job is not None
                assert decode_reply(await job.result(poll_delay=0.02)).report == b"graded"
            for queue in queues:
                assert await redis.exists(f"{queue}:health-check")
        assert busy.most == 2
    finally:
        stop.set()
        await running
        await redis.aclose(close_connection_pool=True)
