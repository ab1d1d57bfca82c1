"""A run that is queued in the very moment in which the last lane ends still gets its lane."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from redis.asyncio import Redis

from shared.bus.redis_pipeline import PipelineLimits, ScriptPipeline
from shared.bus.redis_scripts import LuaScript

BACKLOG = LuaScript("backlog")


class InstantPipe:
    """Answers at once and leaves its context without a turn of the loop: the tightest order there is."""

    def __init__(self) -> None:
        self.queued = 0

    async def __aenter__(self) -> InstantPipe:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def execute_command(self, *_: object) -> None:
        self.queued += 1

    async def execute(self, raise_on_error: bool) -> list[Any]:
        return [[0, 0]] * self.queued


class InstantRedis:
    def pipeline(self, transaction: bool) -> InstantPipe:
        return InstantPipe()


async def test_a_run_queued_as_the_last_lane_ends_is_not_forgotten() -> None:
    pipeline = ScriptPipeline(cast(Redis, InstantRedis()), PipelineLimits(lanes=1))
    async with asyncio.timeout(5):
        for _ in range(3):
            assert await pipeline.run(BACKLOG, ["nothing"]) == [0, 0]
