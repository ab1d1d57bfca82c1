"""What only a real Redis can do to us: memory limits, restarts, dead shards, foreign entries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from cli.embedded_redis import EmbeddedRedis
from shared.bus import keys
from shared.bus.limits import SESSION_TTL_S, BusLimits
from shared.bus.metrics import BusMetrics
from shared.bus.ports import AudioChunk, CommitOutcome
from shared.bus.redis_connections import RedisConnections, command
from shared.bus.redis_consumer import ShardConsumer
from shared.bus.redis_feed import RedisResultFeed
from shared.bus.redis_queue import RedisWorkQueue
from shared.bus.redis_sessions import RedisSessionStore, session_keys
from shared.errors import BusUnavailable, QueueFull, StateLost
from shared.ids import Epoch, WorkerId
from shared.protocol import codec
from shared.service.metrics import create_registry, exposition
from tests.contract.bus_harness import (
    POOL,
    RecordingSink,
    a_record,
    a_result,
    a_segment,
    claim_all,
    session_on,
)

STREAM = keys.segments(POOL)


@pytest.fixture
async def connections(redis_url: str) -> AsyncIterator[RedisConnections]:
    opened = RedisConnections(redis_url)
    yield opened
    await opened.close()


@pytest.fixture
def second_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


def a_queue(connections: RedisConnections, worker: str = "w1") -> RedisWorkQueue:
    return RedisWorkQueue(connections, POOL, WorkerId(worker))


async def test_refused_pushes_and_broken_feeds_are_counted(connections: RedisConnections) -> None:
    registry = create_registry()
    metrics = BusMetrics(registry)
    store = RedisSessionStore(connections, BusLimits(max_stream_length=1), metrics)
    feed, record, sink = RedisResultFeed(connections, metrics=metrics), a_record(), RecordingSink()
    with pytest.raises(StateLost):
        await store.push(record, None, None)
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await store.push(record, a_segment(record, 0), None)
    with pytest.raises(QueueFull):
        await store.push(record, a_segment(record, 1), None)
    await command(connections.shards[0].commands, "CLIENT KILL", "TYPE", "pubsub")
    await sink.until(lambda seen: seen.gaps == 1)
    text = exposition(registry).decode()
    for line in (
        'rattil_bus_pushes_refused_total{reason="lost"} 1.0',
        'rattil_bus_pushes_refused_total{reason="full"} 1.0',
        'rattil_bus_feed_interruptions_total{shard="0"} 1.0',
        'rattil_bus_channels{shard="0"} 1.0',
        'rattil_bus_writes_waiting{shard="0"} 0.0',
    ):
        assert line in text
    await feed.close()


async def test_every_session_key_expires(connections: RedisConnections) -> None:
    store, queue, record = RedisSessionStore(connections), a_queue(connections), a_record()
    await store.open(record)
    await store.push(record, a_segment(record, 0), AudioChunk(0, bytes(320)))
    [claim] = await claim_all(queue) or await claim_all(queue)
    await queue.commit([(claim, a_result(claim.segment))])
    for key in session_keys(record.session_id):
        assert 0 < await command(connections.shards[0].commands, "TTL", key) <= SESSION_TTL_S


async def test_a_session_of_another_version_is_as_good_as_lost(connections: RedisConnections) -> None:
    store, record = RedisSessionStore(connections), a_record()
    await store.open(record)
    await command(connections.shards[0].commands, "HSET", keys.session(record.session_id), "v", 9)
    with pytest.raises(StateLost):
        await store.take_over(record.session_id, record.connection_id)


async def test_store_audio_tail_and_off(connections: RedisConnections) -> None:
    tail = RedisSessionStore(connections, BusLimits(store_audio="tail", tail_audio_s=1.0))
    off = RedisSessionStore(connections, BusLimits(store_audio="off"))
    record = a_record()
    await tail.open(record)
    for first in range(0, 64_000, 8_000):
        await tail.push(record, None, AudioChunk(first, bytes(16_000)))
    [kept] = await tail.audio_from(record.session_id, 0)
    assert 40_000 <= kept.start_sample <= 48_000
    assert kept.start_sample + len(kept.pcm) // 2 == 64_000
    await off.reopen(msgspec.structs.replace(record, epoch=Epoch("e2")))
    await off.push(msgspec.structs.replace(record, epoch=Epoch("e2")), None, AudioChunk(0, bytes(16_000)))
    assert await off.audio_from(record.session_id, 0) == ()


async def test_scripts_are_loaded_again_after_a_flush(connections: RedisConnections) -> None:
    store, queue, record = RedisSessionStore(connections), a_queue(connections), a_record()
    await queue.start()
    await store.open(record)
    for shard in connections.shards:
        await command(shard.commands, "SCRIPT FLUSH")
    pushes = (store.push(record, a_segment(record, seq), None) for seq in range(3))
    await asyncio.gather(*pushes)
    claims = await claim_all(queue)
    for shard in connections.shards:
        await command(shard.commands, "SCRIPT FLUSH")
    outcomes = await queue.commit([(claim, a_result(claim.segment)) for claim in claims])
    assert [outcome.committed for outcome in outcomes] == [True] * 3
    for shard in connections.shards:
        await command(shard.commands, "SCRIPT FLUSH")
    assert await queue.depth() == 0


async def test_at_the_memory_limit_pushes_are_refused_and_answers_still_leave(
    redis_server: EmbeddedRedis,
) -> None:
    """Otherwise a full backlog would block the very results that drain it."""
    connections = RedisConnections(redis_server.url)
    client = connections.shards[0].commands
    store, queue, record = RedisSessionStore(connections), a_queue(connections), a_record()
    await queue.start()
    await store.open(record)
    await store.push(record, a_segment(record, 0, bytes(80_000)), None)
    await store.push(record, a_segment(record, 1, bytes(80_000)), None)
    [first, second] = await claim_all(queue)
    await command(client, "CONFIG SET", "maxmemory", "1mb")
    await command(client, "CONFIG SET", "maxmemory", "100")
    with pytest.raises(BusUnavailable, match="memory limit"):
        await store.push(record, a_segment(record, 2, bytes(80_000)), None)
    assert await queue.commit([(first, a_result(first.segment))]) == [CommitOutcome(True, 1)]
    assert await store.settle(a_result(second.segment)) == CommitOutcome(True, 2)
    assert await queue.depth() == 1
    await connections.close()


async def test_undecodable_entries_are_buried_and_their_neighbours_served(
    connections: RedisConnections,
) -> None:
    store, queue, record = RedisSessionStore(connections), a_queue(connections), a_record()
    client = connections.shards[0].commands
    await queue.start()
    await store.open(record)
    await command(client, "XADD", STREAM, "*", "s", b"\xc1 no segment")
    await command(client, "XADD", STREAM, "*", "other", "field")
    await store.push(record, a_segment(record, 0), None)
    assert [claim.segment.seq for claim in await claim_all(queue)] == [0]
    assert await queue.depth() == 1
    assert await command(client, "XLEN", keys.DEAD) == 2
    assert 0 < await command(client, "TTL", keys.DEAD) <= keys.DEAD_TTL_S


async def test_a_segment_of_a_newer_version_is_answered_at_once(connections: RedisConnections) -> None:
    store, queue, record = RedisSessionStore(connections), a_queue(connections), a_record()
    client = connections.shards[0].commands
    await queue.start()
    await store.open(record)
    newer = msgspec.msgpack.decode(codec.encode_segment(a_segment(record, 0))) | {"v": 99, "codec": 7}
    await command(client, "XADD", STREAM, "*", "s", msgspec.msgpack.encode(newer))
    assert await claim_all(queue) == []
    [logged] = (await store.results_after(record.session_id, record.epoch, 0)).results
    assert (logged.result.seq, logged.result.outcome, logged.result.code) == (0, "error", "bad_request")
    assert "update the older service" in logged.result.message
    assert await queue.depth() == 0
    assert await command(client, "XLEN", keys.DEAD) == 1


async def test_a_push_sends_its_audio_once(connections: RedisConnections) -> None:
    store, record, client = RedisSessionStore(connections), a_record(), connections.shards[0].commands
    await store.open(record)
    before = (await client.info("stats"))["total_net_input_bytes"]
    await store.push(record, a_segment(record, 0, bytes(80_000)), AudioChunk(0, bytes(64_000)))
    assert (await client.info("stats"))["total_net_input_bytes"] - before < 90_000


async def test_entries_deleted_behind_our_back_are_forgotten(connections: RedisConnections) -> None:
    """Redis 6.2 answers XAUTOCLAIM with nil for them, and keeps them pending for ever."""
    store, dead, alive = RedisSessionStore(connections), a_queue(connections), a_queue(connections, "w2")
    client, record = connections.shards[0].commands, a_record()
    await dead.start()
    await store.open(record)
    for seq in range(3):
        await store.push(record, a_segment(record, seq), None)
    claims = await claim_all(dead)
    await command(client, "XDEL", STREAM, claims[1].entry_id)
    again = await alive.reclaim(0, 0, 10)
    assert [claim.segment.seq for claim in again] == [0, 2]
    assert (await command(client, "XPENDING", STREAM, keys.WORKER_GROUP))["pending"] == 2
    await command(client, "XDEL", STREAM, claims[0].entry_id)
    restarted = a_queue(connections, "w2")
    assert [claim.segment.seq for claim in await restarted.claim(0, 10, 0)] == [2]
    assert (await command(client, "XPENDING", STREAM, keys.WORKER_GROUP))["pending"] == 1


async def test_close_removes_only_an_idle_consumer(connections: RedisConnections) -> None:
    store, busy, idle = RedisSessionStore(connections), a_queue(connections), a_queue(connections, "w2")
    record = a_record()
    await busy.start()
    await store.open(record)
    await store.push(record, a_segment(record, 0), None)
    await claim_all(busy)
    await claim_all(idle)
    await busy.close()
    await idle.close()
    consumers = await command(connections.shards[0].commands, "XINFO CONSUMERS", STREAM, keys.WORKER_GROUP)
    assert [consumer["name"] for consumer in consumers] == [b"w1"]


async def test_one_dead_shard_leaves_the_other_at_work(
    redis_server: EmbeddedRedis, second_server: EmbeddedRedis
) -> None:
    connections = RedisConnections(f"{redis_server.url},{second_server.url}")
    store, queue = RedisSessionStore(connections), a_queue(connections)
    await queue.start()
    lost, fine = a_record(session_on(1)), a_record(session_on(0))
    for record in (lost, fine):
        await store.open(record)
        await store.push(record, a_segment(record, 0), None)
    claims = await claim_all(queue)
    second_server.kill()
    with pytest.raises(BusUnavailable):
        await queue.commit([(claim, a_result(claim.segment)) for claim in claims])
    page = await store.results_after(fine.session_id, fine.epoch, 0)
    assert len(page.results) == 1
    await store.push(fine, a_segment(fine, 1), None)
    assert len(await queue.claim(0, 10, 0)) == 1
    with pytest.raises(BusUnavailable):
        await queue.claim(1, 10, 0)
    assert await queue.depth() == 1
    with pytest.raises(BusUnavailable):
        await store.push(lost, a_segment(lost, 1), None)
    assert await store.ping() == 1
    redis_server.kill()
    with pytest.raises(BusUnavailable):
        await queue.depth()
    with pytest.raises(BusUnavailable):
        await store.ping()
    await connections.close()


async def test_a_restarted_redis_is_found_again_and_its_loss_is_stated(redis_server: EmbeddedRedis) -> None:
    connections = RedisConnections(redis_server.url)
    store, queue, feed = RedisSessionStore(connections), a_queue(connections), RedisResultFeed(connections)
    record, sink = a_record(), RecordingSink()
    await queue.start()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await store.push(record, a_segment(record, 0), None)
    await asyncio.to_thread(redis_server.restart, keep_data=False)
    await sink.until(lambda seen: seen.gaps >= 1)
    with pytest.raises(StateLost):
        await store.push(record, a_segment(record, 1), None)
    anew = a_record(record.session_id, epoch="e2")
    await store.open(anew)
    await store.push(anew, a_segment(anew, 1), None)
    claims = await claim_all(queue) or await claim_all(queue) or await claim_all(queue)
    assert [claim.segment.seq for claim in claims] == [1]
    await queue.commit([(claim, a_result(claim.segment)) for claim in claims])
    await sink.until(lambda seen: len(seen.results) == 1)
    await feed.close()
    await connections.close()


async def test_subscribing_to_a_dead_shard_fails_in_time(redis_server: EmbeddedRedis) -> None:
    connections = RedisConnections(redis_server.url)
    feed = RedisResultFeed(connections, confirm_s=0.2)
    redis_server.kill()
    record = a_record()
    with pytest.raises(BusUnavailable, match="confirmed no subscription"):
        await feed.subscribe(record.session_id, record.connection_id, RecordingSink())
    await feed.close()
    with pytest.raises(BusUnavailable, match="closed"):
        await feed.subscribe(record.session_id, record.connection_id, RecordingSink())
    await connections.close()


async def test_a_silent_server_is_noticed_by_the_feed(connections: RedisConnections) -> None:
    store, record, sink = RedisSessionStore(connections), a_record(), RecordingSink()
    feed = RedisResultFeed(connections, idle_ping_s=0.02)
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await command(connections.shards[0].commands, "CLIENT PAUSE", 300, "ALL")
    await sink.until(lambda seen: seen.gaps >= 1)
    await feed.close()


async def test_a_feed_has_a_bound_on_its_channels(connections: RedisConnections) -> None:
    feed, record = RedisResultFeed(connections, max_channels=1), a_record()
    await feed.subscribe(record.session_id, record.connection_id, RecordingSink())
    other = a_record(connection="c2")
    with pytest.raises(BusUnavailable, match="follows 1 channels"):
        await feed.subscribe(other.session_id, other.connection_id, RecordingSink())
    await feed.close()


class RaisingSink(RecordingSink):
    def on_gap(self) -> None:
        raise RuntimeError("a sink's own bug")


async def test_undecodable_deliveries_are_gaps_and_a_raising_sink_harms_no_other(
    connections: RedisConnections,
) -> None:
    feed, one, two = RedisResultFeed(connections), a_record(), a_record(connection="c2")
    bad, good = RaisingSink(), RecordingSink()
    await feed.subscribe(one.session_id, one.connection_id, bad)
    await feed.subscribe(two.session_id, two.connection_id, good)
    client = connections.shards[0].commands
    await command(client, "PUBLISH", keys.results_channel(one.connection_id), b"garbage")
    await command(client, "PUBLISH", keys.results_channel(two.connection_id), b"garbage")
    await good.until(lambda seen: seen.gaps == 1)
    await feed.close()


async def test_many_writers_do_not_starve_a_committer(connections: RedisConnections) -> None:
    """A pool hands its connections to whoever asks fastest; pushes therefore share pipelines."""
    store, queue = RedisSessionStore(connections), a_queue(connections)
    await queue.start()
    records = [a_record(session_on(0, f"busy{index}"), connection=f"c{index}") for index in range(40)]
    for record in records:
        await store.open(record)

    async def write(index: int) -> None:
        for seq in range(10):
            await store.push(records[index], a_segment(records[index], seq), None)

    async def work() -> int:
        done = 0
        while done < 400:
            claims = await queue.claim(0, 32, 100)
            done += len(await queue.commit([(claim, a_result(claim.segment)) for claim in claims]))
        return done

    total, *_ = await asyncio.gather(work(), *(write(index) for index in range(40)))
    assert total == 400
    assert await queue.depth() == 0


async def test_consumers_of_dead_workers_go_once_nothing_is_pending_for_them(
    connections: RedisConnections,
) -> None:
    store, client, record = RedisSessionStore(connections), connections.shards[0].commands, a_record()
    await store.open(record)
    await store.push(record, a_segment(record, 0), None)
    killed, living = a_queue(connections, "killed"), a_queue(connections, "living")
    await living.start()
    assert len(await claim_all(killed)) == 1
    await claim_all(living)
    limits, metrics = BusLimits(), BusMetrics()
    tidier = ShardConsumer(connections.shards[0], STREAM, WorkerId("living"), limits, metrics)
    assert await tidier.tidy(silent_ms=0) == 0, "what it held would be lost sight of"
    [claim] = await living.reclaim(0, 0, 10)
    await living.commit([(claim, a_result(claim.segment))])
    assert await tidier.tidy(silent_ms=60_000) == 0, "it was alive a moment ago"
    assert await tidier.tidy(silent_ms=0) == 1
    consumers = await command(client, "XINFO CONSUMERS", STREAM, keys.WORKER_GROUP)
    assert [consumer["name"] for consumer in consumers] == [b"living"]


async def test_a_worker_removes_dead_consumers_by_itself(
    connections: RedisConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.redis_consumer.SILENT_MS", 0)
    store, client, record = RedisSessionStore(connections), connections.shards[0].commands, a_record()
    await store.open(record)
    killed, living = a_queue(connections, "killed"), a_queue(connections, "living")
    await living.start()
    await claim_all(killed)
    await claim_all(living)
    await living.reclaim(0, 1000, 10)
    consumers = await command(client, "XINFO CONSUMERS", STREAM, keys.WORKER_GROUP)
    assert [consumer["name"] for consumer in consumers] == [b"living"]
