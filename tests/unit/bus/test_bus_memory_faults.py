"""The faults that the in-memory bus can play, for the tests of other rooms."""

from __future__ import annotations

import pytest

from shared.bus.limits import BusLimits
from shared.bus.ports import AudioChunk
from shared.clock import ManualClock
from shared.errors import BusUnavailable, StateLost
from shared.ids import WorkerId
from tests.contract.bus_harness import (
    POOL,
    RecordingSink,
    a_record,
    a_result,
    a_segment,
    claim_all,
    session_on,
)
from tests.memory.bus import MemoryResultFeed, MemorySessionStore
from tests.memory.bus_state import MemoryBus
from tests.memory.work_queue import MemoryWorkQueue


async def test_a_session_ends_with_its_time_and_lives_on_with_each_push() -> None:
    clock = ManualClock()
    bus = MemoryBus(clock, BusLimits(session_ttl_s=10))
    store, record = MemorySessionStore(bus), a_record()
    await store.open(record)
    for _ in range(3):
        clock.advance(9)
        await store.push(record, None, None)
    clock.advance(11)
    with pytest.raises(StateLost):
        await store.push(record, None, None)
    assert bus.sessions == {}


async def test_idle_time_is_the_clocks() -> None:
    clock = ManualClock()
    bus = MemoryBus(clock)
    store, record = MemorySessionStore(bus), a_record()
    one, two = (MemoryWorkQueue(bus, POOL, WorkerId(name)) for name in ("w1", "w2"))
    await store.open(record)
    await store.push(record, a_segment(record, 0), None)
    claims = await claim_all(one)
    clock.advance(4)
    await one.refresh(claims)
    clock.advance(4)
    assert await two.reclaim(0, 5_000, 10) == []
    assert await two.oldest_age_ms() == 8_000
    clock.advance(1)
    assert len(await two.reclaim(0, 5_000, 10)) == 1


async def test_a_cut_shard_is_unavailable_until_mended() -> None:
    bus = MemoryBus(shards=2)
    store, queue = MemorySessionStore(bus), MemoryWorkQueue(bus, POOL, WorkerId("w"))
    here, there = a_record(session_on(0)), a_record(session_on(1))
    for record in (here, there):
        await store.open(record)
        await store.push(record, a_segment(record, 0), None)
    claims = await claim_all(queue)
    bus.cut(1)
    with pytest.raises(BusUnavailable):
        await store.push(there, None, None)
    with pytest.raises(BusUnavailable):
        await queue.commit([(claim, a_result(claim.segment)) for claim in claims])
    assert (await store.results_after(here.session_id, here.epoch, 0)).top == 1
    assert await queue.depth() == 0
    bus.cut()
    with pytest.raises(BusUnavailable):
        await queue.start()
    bus.mend()
    assert await queue.depth() == 1


async def test_wipe_loses_state_and_tells_the_feed() -> None:
    bus = MemoryBus()
    store, feed, record, sink = MemorySessionStore(bus), MemoryResultFeed(bus), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    bus.wipe()
    assert sink.gaps == 1
    with pytest.raises(StateLost):
        await store.push(record, None, None)


async def test_tail_and_off_bound_the_audio() -> None:
    for mode, kept in (("tail", 32_000), ("off", 0)):
        limits = BusLimits(store_audio="tail" if mode == "tail" else "off", tail_audio_s=1.0)
        store, record = MemorySessionStore(MemoryBus(limits=limits)), a_record()
        await store.open(record)
        for first in range(0, 64_000, 16_000):
            await store.push(record, None, AudioChunk(first, bytes(32_000)))
        stretches = await store.audio_from(record.session_id, 0)
        assert sum(len(stretch.pcm) for stretch in stretches) // 2 == kept
