"""A Redis that would lose sessions is refused with a sentence, and noticed when it becomes one."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cli.embedded_redis import EmbeddedRedis
from cli.ports import free_port
from shared.bus.metrics import BusMetrics
from shared.bus.redis_connections import RedisConnections, command
from shared.bus.redis_suitability import SuitabilityWatch, fault_in, require_suitable
from shared.errors import UnsuitableRedis
from shared.service.metrics import create_registry, exposition

EVICTING = ("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")


async def test_an_ordinary_server_is_suitable_and_an_absent_one_is_not_judged(
    redis_server: EmbeddedRedis,
) -> None:
    said: list[list[tuple[str, str]]] = []
    for url in (redis_server.url, f"redis://127.0.0.1:{free_port()}/0"):
        connections = RedisConnections(url)
        with capture_logs() as logged:
            await require_suitable(connections)
        said.append([(line["event"], line["server"]) for line in logged])
        await connections.close()
    # A start goes on without its Redis, and says so.
    assert said == [[], [("redis_not_checked", "shard 0")]]


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"])
def test_an_evicting_policy_is_a_fault_once_there_is_a_limit(policy: str) -> None:
    assert "noeviction" in fault_in({"maxmemory_policy": policy, "maxmemory": 1000})
    assert fault_in({"maxmemory_policy": policy, "maxmemory": 0}) == ""
    assert fault_in({"maxmemory_policy": "noeviction", "maxmemory": 1000}) == ""


async def test_a_node_of_a_cluster_is_refused(tmp_path: Path) -> None:
    nodes = tmp_path / "nodes.conf"
    cluster = ("--cluster-enabled", "yes", "--cluster-config-file", nodes.name, "--dir", str(tmp_path))
    async with EmbeddedRedis(extra=cluster) as server:
        connections = RedisConnections(server.url)
        with pytest.raises(UnsuitableRedis, match="Redis Cluster"):
            await require_suitable(connections)
        await connections.close()


async def test_a_change_of_policy_and_evicted_keys_are_seen() -> None:
    registry = create_registry()
    async with EmbeddedRedis(extra=EVICTING) as server:
        connections = RedisConnections(server.url)
        watch, [shard] = SuitabilityWatch(connections, BusMetrics(registry)), connections.shards
        await watch.look(shard)
        for number in range(100):
            await command(shard.commands, "SET", f"fill-{number}", bytes(1_000_000))
        await watch.look(shard)
        text = exposition(registry).decode()
        await command(shard.commands, "CONFIG SET", "maxmemory-policy", "noeviction")
        await watch.look(shard)
        cured = exposition(registry).decode()
        await connections.close()
    assert 'rattil_bus_redis_unsuitable{shard="0"} 1.0' in text
    assert 'rattil_bus_redis_unsuitable{shard="0"} 0.0' in cured
    assert 'rattil_bus_redis_evicted_keys_total{shard="0"} 0.0' not in text


@pytest.mark.parametrize("service", ["gateway", "asr_worker", "session_router"])
@pytest.mark.parametrize("variable", ["REDIS_URL", "CONTROL_REDIS_URL"])
async def test_services_do_not_start_on_a_redis_that_evicts(
    service: str, variable: str, redis_server: EmbeddedRedis
) -> None:
    async with EmbeddedRedis(extra=EVICTING) as server:
        urls = {"REDIS_URL": redis_server.url, variable: server.url}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            service,
            env=os.environ | urls | {"PORT": "0", "ASR_ENGINE": "scripted"},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
    assert process.returncode == 2
    assert b"noeviction" in said
    assert b"Traceback" not in said
