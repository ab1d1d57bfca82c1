"""Verify jobs and a Redis that is away."""

from __future__ import annotations

from typing import Any, cast

import pytest
from arq import Retry

from asr_worker.metrics import WorkerMetrics
from asr_worker.offline.arq_jobs import JobPolicy, OfflineJobs
from asr_worker.offline.transcribe import Transcriber
from asr_worker.offline.verify import Verifier
from shared.clock import SystemClock
from shared.errors import BusUnavailable
from shared.ids import SessionId
from shared.protocol.jobs import VerifyReply, VerifyRequest, VerifySession, decode_reply, encode_request
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
