"""New sessions are refused first, then audio of those that live is held back; Redis itself never fills up."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from cli.embedded_redis import EmbeddedRedis
from shared.bus.metrics import BusMetrics
from shared.bus.ports import AudioChunk
from shared.bus.redis_connections import ConnectionLimits, RedisConnections
from shared.bus.redis_memory import MemoryWatch, StorageFull, hold_share, next_look_s, remembered, used_share
from shared.bus.redis_sessions import RedisSessionStore
from shared.errors import QueueFull, StateLost
from tests.contract.bus_harness import a_record


def test_the_share_of_a_limit() -> None:
    assert used_share({"used_memory": 50, "maxmemory": 200}) == 0.25
    assert used_share({"used_memory": 50, "maxmemory": 0}) == 0
    assert used_share({}) == 0


def test_a_small_store_holds_audio_back_sooner() -> None:
    """The same few megabytes arrive between two looks, however small the store is."""
    assert hold_share(0.85, 1_000_000_000) == pytest.approx(0.925)
    assert hold_share(0.85, 100_000_000) == pytest.approx(0.8)
    assert hold_share(0.85, 60_000_000) == pytest.approx(0.75)
    assert hold_share(0.5, 10_000_000) == pytest.approx(0.75)
    assert hold_share(1.0, 1_000_000_000) == pytest.approx(0.98)
    assert hold_share(0.85, 0) == 1


async def test_no_new_session_begins_while_audio_is_held_back() -> None:
    async with EmbeddedRedis(max_memory_mb=16) as server:
        connections = RedisConnections(server.url, ConnectionLimits(max_connections=2))
        try:
            (shard,) = connections.shards
            watch = MemoryWatch(connections, BusMetrics(CollectorRegistry()), refuse_at=0.95)
            number = 0
            while True:
                await shard.commands.set(f"audio-{number}", bytes(100_000))
                await watch.look(shard)
                try:
                    watch.expect_audio_room(0)
                except QueueFull:
                    break
                number += 1
            assert 80 < number < 130
            with pytest.raises(StorageFull):
                watch.expect_room()
        finally:
            await connections.close()


def test_a_store_that_fills_up_fast_is_looked_at_more_often() -> None:
    assert next_look_s(left=0.9, speed=0.0, every_s=2) == 2
    assert next_look_s(left=0.9, speed=0.005, every_s=2) == 2
    assert next_look_s(left=0.4, speed=0.1, every_s=2) == 1
    assert next_look_s(left=0.05, speed=0.25, every_s=2) == 0.25
    assert next_look_s(left=-0.01, speed=0.0, every_s=2) == 0.25
    assert next_look_s(left=0.05, speed=5.0, every_s=0.1) == 0.1


def test_a_store_of_which_something_was_taken_out_may_still_fill_up_fast() -> None:
    """0.28 of it in a second, then less than before: at the next look it was full, two seconds later."""
    speed = remembered(0.28, 0.25)
    assert speed == pytest.approx(0.28, rel=0.02)
    assert next_look_s(left=0.03, speed=speed, every_s=2) == 0.25
    assert remembered(0.28, 60.0) < 0.01
    assert remembered(-0.1, 1.0) == 0


async def test_a_real_redis_that_fills_up_and_empties_again() -> None:
    registry = CollectorRegistry()
    async with EmbeddedRedis(max_memory_mb=16) as server:
        connections = RedisConnections(server.url, ConnectionLimits(max_connections=2))
        try:
            (shard,) = connections.shards
            answered: list[int] = []
            watch = MemoryWatch(connections, BusMetrics(registry), refuse_at=0.5, on_room=answered.append)
            await watch.look(shard)
            assert answered == [0]
            watch.expect_room()
            for number in range(90):
                await shard.commands.set(f"audio-{number}", bytes(100_000))
            await watch.look(shard)
            with pytest.raises(StorageFull) as refused:
                watch.expect_room()
            assert refused.value.retry_after_s > 0
            share = registry.get_sample_value("rattil_bus_redis_memory_used", {"shard": "0"})
            assert share is not None
            assert 0.5 < share < 1
            watch.expect_audio_room(0)
            for number in range(90, 124):
                await shard.commands.set(f"audio-{number}", bytes(100_000))
            answered.clear()
            await watch.look(shard)
            assert answered == []  # it answers, and takes no audio
            with pytest.raises(QueueFull, match="nearly full"):
                watch.expect_audio_room(0)
            watch.expect_audio_room(1)  # another shard has room
            store = RedisSessionStore(connections, expect_audio_room=watch.expect_audio_room)
            with pytest.raises(QueueFull):
                await store.push(a_record(), None, AudioChunk(0, bytes(3200)))
            with pytest.raises(StateLost):  # there is room for what is no audio, only no such session
                await store.push(a_record(), None, None)
            await shard.commands.flushall()
            await watch.look(shard)
            watch.expect_room()
            watch.expect_audio_room(0)
            server.kill()
            await watch.look(shard)  # away: the last answer holds
            watch.expect_room()
        finally:
            await connections.close()
