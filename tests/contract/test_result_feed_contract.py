"""What a `ResultFeed` promises, in memory and on Redis."""

from __future__ import annotations

from shared.bus.ports import SessionRecord
from shared.ids import ConnectionId
from tests.contract.bus_harness import Bus, RecordingSink, a_record, a_result, a_segment, session_on


def numbered(index: int) -> SessionRecord:
    return a_record(session_on(index % 2, f"many{index}"), connection=f"c{index}")


async def test_results_arrive_with_their_offsets_in_order(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    for seq in range(20):
        await store.settle(a_result(a_segment(record, seq)))
    await sink.until(lambda seen: len(seen.results) == 20)
    assert [(logged.offset, logged.result.seq) for logged in sink.results] == [
        (seq + 1, seq) for seq in range(20)
    ]
    assert sink.results[3].result == a_result(a_segment(record, 3))
    page = await store.results_after(record.session_id, record.epoch, 0)
    assert page.results == tuple(sink.results)


async def test_each_connection_sees_only_its_own(bus: Bus) -> None:
    store, feed = bus.store(), bus.feed()
    records = [numbered(index) for index in range(40)]
    sinks = [RecordingSink() for _ in records]
    for record, sink in zip(records, sinks, strict=True):
        await store.open(record)
        await feed.subscribe(record.session_id, record.connection_id, sink)
    for record in records:
        await store.settle(a_result(a_segment(record, 0), text=record.connection_id))
    for record, sink in zip(records, sinks, strict=True):
        await sink.until(lambda seen: len(seen.results) == 1)
        assert sink.results[0].result.text == record.connection_id


async def test_nothing_arrives_after_unsubscribe(bus: Bus) -> None:
    store, feed, record = bus.store(), bus.feed(), a_record()
    gone, witness = RecordingSink(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, gone)
    await feed.unsubscribe(record.session_id, record.connection_id)
    await store.settle(a_result(a_segment(record, 0)))
    newer = ConnectionId("c2")
    await feed.subscribe(record.session_id, newer, witness)
    await store.take_over(record.session_id, newer)
    await store.settle(a_result(a_segment(record, 1)))
    await witness.until(lambda seen: len(seen.results) == 1)
    assert gone.results == []


async def test_subscribing_again_after_unsubscribing_works(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    for _ in range(5):
        await feed.subscribe(record.session_id, record.connection_id, sink)
        await feed.unsubscribe(record.session_id, record.connection_id)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await store.settle(a_result(a_segment(record, 0)))
    await sink.until(lambda seen: len(seen.results) == 1)


async def test_a_broken_feed_says_so_and_goes_on(bus: Bus) -> None:
    store, feed = bus.store(), bus.feed()
    records = [numbered(index) for index in range(6)]
    sinks = [RecordingSink() for _ in records]
    for record, sink in zip(records, sinks, strict=True):
        await store.open(record)
        await feed.subscribe(record.session_id, record.connection_id, sink)
    await bus.break_feeds()
    for record in records:
        await store.settle(a_result(a_segment(record, 0)))
    for record, sink in zip(records, sinks, strict=True):
        await sink.until(lambda seen: seen.gaps >= 1)
        page = await store.results_after(record.session_id, record.epoch, 0)
        assert page.complete
        assert len(page.results) == 1
        await store.settle(a_result(a_segment(record, 1)))
        await sink.until(lambda seen: any(logged.offset == 2 for logged in seen.results))


async def test_a_closed_feed_can_be_followed_by_another(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await feed.close()
    again = bus.feed()
    await again.subscribe(record.session_id, record.connection_id, sink)
    await store.settle(a_result(a_segment(record, 0)))
    await sink.until(lambda seen: len(seen.results) == 1)
    await again.close()
