"""Sessions on real Redis: two gateways, two shards, a Redis that restarts with and without its data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from cli.embedded_redis import EmbeddedRedis
from gateway.admission.router_client import OpenAdmission
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_feed import RedisResultFeed
from shared.bus.redis_queue import RedisWorkQueue
from shared.bus.redis_sessions import RedisSessionStore
from shared.ids import PoolName, WorkerId
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, ScriptedBatch, ScriptedWorker, eventually, stop

PCM = speech.recite(range(16))


class RedisWorld:
    """Gateways, each with its own connections, and one scripted worker."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self.batch = ScriptedBatch()
        self.clients: list[Client] = []
        queue = RedisWorkQueue(self._connections(), PoolName("default"), WorkerId("w1"))
        self.worker = ScriptedWorker(queue, speech.listen)

    def gateway(self, **overrides: Any) -> Gateway:
        connections = self._connections()
        feed = RedisResultFeed(connections)
        self._stack.push_async_callback(feed.close)
        gateway = Gateway(RedisSessionStore(connections), feed, self.batch, OpenAdmission(), **overrides)
        gateway.clients = self.clients
        return gateway

    def _connections(self) -> RedisConnections:
        connections = RedisConnections(self._url)
        self._stack.push_async_callback(connections.close)
        return connections


@asynccontextmanager
async def redis_world(url: str) -> AsyncIterator[RedisWorld]:
    async with AsyncExitStack() as stack:
        made = RedisWorld(url, stack)
        await made.worker.queue.start()
        working = asyncio.create_task(made.worker.run(), name="scripted-worker")
        stack.push_async_callback(stop, [working])
        try:
            yield made
        finally:
            await stop([client.task for client in made.clients])


async def finish(client: Client, already_seen: int = 0) -> None:
    ready = await client.until("ready")
    await client.stream(PCM[ready["offset"] * 2 :])
    await client.send("end")
    assert (await client.rest()).code == 1000
    assert client.seqs == list(range(already_seen, already_seen + len(client.seqs)))


async def test_twenty_sessions_over_two_shards(redis_url: str) -> None:
    async with redis_world(redis_url) as w:
        gateways = [w.gateway(), w.gateway()]
        clients = [gateways[turn % 2].connect() for turn in range(20)]
        await asyncio.gather(*(finish(client) for client in clients))
    for client in clients:
        words = client.of("partial_result")[-1]["word_feedback"]
        assert [word["status"] for word in words[:16]] == ["correct"] * 16
        assert client.of("ack")[-1]["offset"] == len(PCM) // 2


async def test_a_session_moves_to_another_gateway(redis_url: str) -> None:
    async with redis_world(redis_url) as w:
        first = w.gateway().connect()
        await first.stream(PCM[:150_000])
        await first.until("partial_result")
        await first.leave()
        ready = first.of("ready")[0]
        offset = max((event["offset"] for event in first.of("ack")), default=0)
        second = w.gateway().connect(session_id=ready["session_id"], last_seq=max(first.seqs), offset=offset)
        await finish(second, already_seen=len(first.seqs))
    assert second.of("ready")[0]["resumed"] is True


async def test_the_newer_connection_wins(redis_url: str) -> None:
    async with redis_world(redis_url) as w:
        old = w.gateway().connect()
        ready = await old.until("ready")
        new = w.gateway().connect(session_id=ready["session_id"], last_seq=-1, offset=0)
        await finish(new)
        assert (await old.rest()).code == 4501


@pytest.mark.parametrize("keep_data", [True, False])
async def test_a_redis_restart_in_mid_session(redis_server: EmbeddedRedis, keep_data: bool) -> None:
    """With its data nothing is lost; without, the loss is told and counted. Never a hang."""
    async with redis_world(redis_server.url) as w:
        gateway = w.gateway(bus_grace_s=20)
        client = gateway.connect()
        await client.stream(PCM[:160_000])
        await client.until("partial_result")
        await asyncio.to_thread(redis_server.restart, keep_data)
        await client.stream(PCM[160_000:])
        await client.send("end")
        closed = await client.rest()
        lost = gateway.ports.metrics.registry.get_sample_value("rattil_gateway_state_lost_total")
    assert closed.code == 1000
    assert client.seqs == list(range(len(client.seqs)))
    assert client.of("ack")[-1]["offset"] == len(PCM) // 2
    assert ("state_lost" in {event["code"] for event in client.of("error")}) is not keep_data
    assert lost == (0 if keep_data else 1)
    assert client.events[-1]["type"] == "final_result"
    assert client.events[-1]["result"]["judged"] == ("whole" if keep_data else "live")


async def test_a_result_missed_while_redis_was_away_comes_from_the_log(redis_server: EmbeddedRedis) -> None:
    async with redis_world(redis_server.url) as w:
        w.worker.working.clear()
        client = w.gateway(bus_grace_s=20).connect()
        await client.stream(PCM[:160_000])
        await client.until("ack")
        await asyncio.to_thread(redis_server.restart, True)
        w.worker.working.set()
        await client.until("partial_result")
        await eventually(lambda: bool(client.seqs))
    assert client.seqs[0] == 0
