"""New sessions are refused before Redis refuses the audio of those that live."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from cli.embedded_redis import EmbeddedRedis
from shared.bus.metrics import BusMetrics
from shared.bus.redis_connections import ConnectionLimits, RedisConnections
from shared.bus.redis_memory import MemoryWatch, StorageFull, used_share


def test_the_share_of_a_limit() -> None:
    assert used_share({"used_memory": 50, "maxmemory": 200}) == 0.25
    assert used_share({"used_memory": 50, "maxmemory": 0}) == 0
    assert used_share({}) == 0


async def test_a_real_redis_that_fills_up_and_empties_again() -> None:
    registry = CollectorRegistry()
    async with EmbeddedRedis(max_memory_mb=16) as server:
        connections = RedisConnections(server.url, ConnectionLimits(max_connections=2))
        try:
            (shard,) = connections.shards
            watch = MemoryWatch(connections, BusMetrics(registry), refuse_at=0.5)
            await watch.look(shard)
            watch.expect_room()
            for number in range(100):
                await shard.commands.set(f"audio-{number}", bytes(100_000))
            await watch.look(shard)
            with pytest.raises(StorageFull) as refused:
                watch.expect_room()
            assert refused.value.retry_after_s > 0
            share = registry.get_sample_value("rattil_bus_redis_memory_used", {"shard": "0"})
            assert share is not None
            assert 0.5 < share < 1
            await shard.commands.flushall()
            await watch.look(shard)
            watch.expect_room()
            server.kill()
            await watch.look(shard)  # away: the last answer holds
            watch.expect_room()
        finally:
            await connections.close()
