"""Script runs share round trips, and each gets its own reply or its own error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from cli.embedded_redis import EmbeddedRedis
from shared.bus.redis_connections import command, open_client
from shared.bus.redis_pipeline import PipelineLimits, ScriptPipeline
from shared.bus.redis_scripts import LuaScript
from shared.errors import BusUnavailable

CLOSE = LuaScript("close")
BACKLOG = LuaScript("backlog")


@pytest.fixture
async def client(redis_urls: tuple[str, ...]) -> AsyncIterator[Redis]:
    opened = open_client(redis_urls[0])
    yield opened
    await opened.aclose(close_connection_pool=True)


async def script_calls(client: Redis) -> int:
    """EVALSHA runs that Redis has counted."""
    stats = await command(client, "INFO", "commandstats")
    return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


async def test_each_run_gets_its_own_reply(client: Redis) -> None:
    pipeline = ScriptPipeline(client, PipelineLimits(max_batch=3, lanes=2))
    for index in range(10):
        await command(client, "XADD", f"stream{index}", "1-0", "s", "x")
        for _ in range(index):
            await command(client, "XADD", f"stream{index}", "*", "s", "x")
    replies = await asyncio.gather(*(pipeline.run(BACKLOG, [f"stream{index}"]) for index in range(10)))
    assert [length for length, _age_ms in replies] == list(range(1, 11))


async def test_a_failing_run_fails_alone(client: Redis) -> None:
    pipeline = ScriptPipeline(client)
    await command(client, "SET", "text", "no stream")
    runs = (pipeline.run(BACKLOG, [key]) for key in ("nothing", "text"))
    ended = await asyncio.gather(*runs, return_exceptions=True)
    assert ended[0] == [0, 0]
    assert isinstance(ended[1], ResponseError)


async def test_unknown_scripts_are_loaded_and_only_they_run_again(client: Redis) -> None:
    pipeline = ScriptPipeline(client)
    await command(client, "SCRIPT FLUSH")
    await pipeline.run(BACKLOG, ["nothing"])
    before = await script_calls(client)
    await asyncio.gather(
        pipeline.run(BACKLOG, ["nothing"]), pipeline.run(CLOSE, ["a", "b", "c", "d"], ["owner"])
    )
    assert await script_calls(client) - before in (2, 3)


async def test_the_queue_is_bounded(client: Redis) -> None:
    pipeline = ScriptPipeline(client, PipelineLimits(max_waiting=2, lanes=1))
    runs = [asyncio.create_task(pipeline.run(BACKLOG, ["nothing"])) for _ in range(3)]
    ended = await asyncio.gather(*runs, return_exceptions=True)
    assert [isinstance(end, BusUnavailable) for end in ended] == [False, False, True]


async def test_a_cancelled_run_leaves_the_others_alone(client: Redis) -> None:
    pipeline = ScriptPipeline(client, PipelineLimits(lanes=1))
    runs = [asyncio.create_task(pipeline.run(BACKLOG, ["nothing"])) for _ in range(3)]
    await asyncio.sleep(0)
    runs[1].cancel()
    ended = await asyncio.gather(*runs, return_exceptions=True)
    assert [ended[0], ended[2]] == [[0, 0], [0, 0]]
    assert isinstance(ended[1], asyncio.CancelledError)


async def test_a_dead_server_fails_every_waiting_run(redis_server: EmbeddedRedis) -> None:
    client = open_client(redis_server.url)
    pipeline = ScriptPipeline(client, PipelineLimits(max_batch=1))
    await pipeline.run(BACKLOG, ["nothing"])
    redis_server.kill()
    ended = await asyncio.gather(
        *(pipeline.run(BACKLOG, ["nothing"]) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(end, RedisConnectionError) for end in ended)
    await client.aclose(close_connection_pool=True)
