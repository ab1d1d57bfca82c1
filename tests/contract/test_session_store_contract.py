"""What a `SessionStore` promises, in memory and on Redis."""

from __future__ import annotations

import msgspec
import pytest

from shared.bus.ports import AudioChunk, CommitOutcome, HighWater, SessionKind
from shared.errors import Fenced, QueueFull, StateLost
from shared.ids import ConnectionId, Epoch, SessionId
from tests.contract.bus_harness import (
    Bus,
    RecordingSink,
    a_record,
    a_result,
    a_segment,
    claim_all,
    session_on,
)

NEWER = ConnectionId("c2")


def pcm(first: int, count: int) -> bytes:
    """`count` samples whose values are their positions."""
    return b"".join((value % 30_000).to_bytes(2, "little") for value in range(first, first + count))


def chunk(first: int, count: int) -> AudioChunk:
    return AudioChunk(first, pcm(first, count))


async def test_take_over_returns_what_was_saved(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    saved = msgspec.structs.replace(
        record, safe_sample=800, next_seq=3, core=b"\x00\xff snapshot", core_seq=2, ended=True
    )
    await store.push(saved, None, None)
    taken = await store.take_over(record.session_id, NEWER)
    assert taken is not None
    assert taken.generation > saved.generation
    assert taken == msgspec.structs.replace(saved, connection_id=NEWER, generation=taken.generation)


async def test_take_over_of_an_unknown_session_is_none(bus: Bus) -> None:
    assert await bus.store().take_over(SessionId("never-there"), NEWER) is None


async def test_the_former_owner_is_fenced_and_told(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await store.take_over(record.session_id, NEWER)
    await sink.until(lambda seen: len(seen.takeovers) == 1)
    assert sink.takeovers[0].by == NEWER
    assert sink.takeovers[0].session_id == record.session_id
    with pytest.raises(Fenced):
        await store.push(record, a_segment(record, 0), None)
    assert await claim_all(bus.queue()) == []


async def test_taking_over_ones_own_session_tells_nobody(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await store.take_over(record.session_id, record.connection_id)
    await store.settle(a_result(a_segment(record, 0)))
    await sink.until(lambda seen: len(seen.results) == 1)
    assert sink.takeovers == []


async def test_a_superseded_connection_is_fenced_even_when_the_epoch_changed(bus: Bus) -> None:
    """`StateLost` would invite it to open the session anew, over the newer connection's head."""
    store, record = bus.store(), a_record()
    await store.open(a_record(connection="c2", epoch="e2"))
    with pytest.raises(Fenced):
        await store.push(record, None, None)


async def test_push_without_the_session_or_its_epoch_is_state_lost(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    with pytest.raises(StateLost):
        await store.push(record, a_segment(record, 0), None)
    await store.open(record)
    other = msgspec.structs.replace(record, epoch=Epoch("e2"))
    with pytest.raises(StateLost):
        await store.push(other, a_segment(other, 0), None)
    await bus.wipe()
    with pytest.raises(StateLost):
        await store.push(record, None, None)
    assert await claim_all(bus.queue()) == []


async def test_reopening_starts_an_empty_log_and_tells_a_former_owner(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await store.push(record, None, chunk(0, 10))
    await store.settle(a_result(a_segment(record, 0)))
    anew = msgspec.structs.replace(a_record(connection="c2", epoch="e2"), generation=1)
    await store.reopen(anew)
    await sink.until(lambda seen: len(seen.takeovers) == 1)
    page = await store.results_after(record.session_id, anew.epoch, 0)
    assert (page.top, page.results, page.complete) == (0, (), True)
    assert await store.audio_from(record.session_id, 0) == ()
    assert await store.settle(a_result(a_segment(anew, 0))) == CommitOutcome(True, 1)


async def test_a_full_stream_refuses_and_writes_nothing(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    for seq in range(bus.limits.max_stream_length):
        await store.push(record, a_segment(record, seq), None)
    refused = msgspec.structs.replace(record, next_seq=99)
    with pytest.raises(QueueFull):
        await store.push(refused, a_segment(record, 99), chunk(0, 10))
    restored = await store.take_over(record.session_id, record.connection_id)
    assert restored is not None
    assert restored.next_seq == 0
    assert await store.audio_from(record.session_id, 0) == ()
    refused = msgspec.structs.replace(refused, generation=restored.generation)
    await store.push(refused, None, None)  # a save needs no room in the stream
    other_shard = a_record(session_on(1))
    await store.open(other_shard)
    await store.push(other_shard, a_segment(other_shard, 0), None)


async def test_a_repeated_push_stores_audio_once_and_skips_an_answered_segment(bus: Bus) -> None:
    store, queue, record = bus.store(), bus.queue(), a_record()
    await store.open(record)
    await store.push(record, a_segment(record, 0), chunk(0, 20))
    [claim] = await claim_all(queue)
    await queue.commit([(claim, a_result(claim.segment))])
    await store.push(record, a_segment(record, 0), chunk(0, 20))
    assert await queue.depth() == 0
    assert await store.audio_from(record.session_id, 0) == (chunk(0, 20),)


async def test_audio_comes_back_from_any_sample(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    for first in (0, 20, 40):
        await store.push(record, None, chunk(first, 20))
    await store.push(record, None, chunk(50, 20))  # overlaps what is there by 10
    assert await store.audio_from(record.session_id, 0) == (chunk(0, 70),)
    assert await store.audio_from(record.session_id, 33) == (chunk(33, 37),)
    assert await store.audio_from(record.session_id, 70) == ()


async def test_a_hole_in_stored_audio_is_a_hole_and_never_silence(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await store.push(record, None, chunk(0, 10))
    await store.push(record, None, chunk(15, 10))
    await store.push(record, None, chunk(25, 5))
    assert await store.audio_from(record.session_id, 0) == (chunk(0, 10), chunk(15, 15))
    assert await store.audio_from(record.session_id, 12) == (chunk(15, 15),)


async def test_stored_audio_is_bounded_and_the_oldest_goes(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    for first in range(0, 400, 50):
        await store.push(record, None, chunk(first, 50))
    [kept] = await store.audio_from(record.session_id, 0)
    assert kept.start_sample > 0
    assert 0 < len(kept.pcm) <= bus.limits.max_audio_bytes
    assert kept.pcm == pcm(kept.start_sample, 400 - kept.start_sample)


async def test_results_after_proves_completeness(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    for seq in range(4):
        await store.settle(a_result(a_segment(record, seq)))
    page = await store.results_after(record.session_id, record.epoch, 1)
    assert page.complete
    assert page.top == 4
    assert [(logged.offset, logged.result.seq) for logged in page.results] == [(2, 1), (3, 2), (4, 3)]
    nothing_new = await store.results_after(record.session_id, record.epoch, 4)
    assert (nothing_new.results, nothing_new.complete) == ((), True)


async def test_results_after_never_claims_what_it_cannot_prove(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await store.settle(a_result(a_segment(record, 0)))
    ahead = await store.results_after(record.session_id, record.epoch, 7)
    assert not ahead.complete
    other_epoch = await store.results_after(record.session_id, Epoch("e0"), 0)
    assert (other_epoch.complete, other_epoch.results, other_epoch.epoch) == (False, (), record.epoch)
    unknown = await store.results_after(SessionId("never-there"), record.epoch, 0)
    assert (unknown.complete, unknown.results) == (False, ())


async def test_a_capped_log_is_incomplete_from_the_start_but_not_from_its_end(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    count = 3 * bus.limits.max_results
    for seq in range(count):
        await store.settle(a_result(a_segment(record, seq)))
    assert not (await store.results_after(record.session_id, record.epoch, 0)).complete
    recent = await store.results_after(record.session_id, record.epoch, count - 50)
    assert recent.complete
    assert len(recent.results) == 50


async def test_settle_is_idempotent_and_the_first_outcome_stands(bus: Bus) -> None:
    store, queue, record = bus.store(), bus.queue(), a_record()
    await store.open(record)
    await store.push(record, a_segment(record, 0), None)
    [claim] = await claim_all(queue)
    assert await store.settle(a_result(claim.segment, outcome="dropped")) == CommitOutcome(True, 1)
    assert await store.settle(a_result(claim.segment)) == CommitOutcome(False, 1)
    assert await queue.commit([(claim, a_result(claim.segment))]) == [CommitOutcome(False, 1)]
    page = await store.results_after(record.session_id, record.epoch, 0)
    assert [logged.result.outcome for logged in page.results] == ["dropped"]
    assert await queue.depth() == 0


async def test_only_the_owner_can_close(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await store.close(record.session_id, NEWER)
    await store.push(record, None, chunk(0, 10))
    await store.close(record.session_id, record.connection_id)
    assert await store.take_over(record.session_id, NEWER) is None
    assert await store.audio_from(record.session_id, 0) == ()


async def test_ping(bus: Bus) -> None:
    assert await bus.store().ping() == 0


async def test_a_session_of_another_kind_is_left_to_its_owner(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    other = SessionKind(record.protocol, "113:1", record.tenant)
    assert await store.take_over(record.session_id, NEWER, other) == record
    await store.push(record, a_segment(record, 0), None)
    assert sink.takeovers == []
    same = SessionKind(record.protocol, record.subject, record.tenant)
    taken = await store.take_over(record.session_id, NEWER, same)
    assert taken is not None
    assert taken.connection_id == NEWER


async def test_a_push_that_arrives_late_does_not_take_the_number_of_segments_back(bus: Bus) -> None:
    """The last segment may have no audio of its own: it closes what was heard."""
    store, record = bus.store(), a_record()
    await store.open(record)
    early = msgspec.structs.replace(record, safe_sample=800, next_seq=1)
    closing = msgspec.structs.replace(record, safe_sample=800, next_seq=2, ended=True)
    for saved in (early, closing, early):
        await store.push(saved, None, None)
    await store.push(closing, None, None, HighWater(0, 800, 2))


async def test_a_push_that_arrives_late_does_not_take_the_session_back(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    early = msgspec.structs.replace(record, safe_sample=800, next_seq=1)
    late = msgspec.structs.replace(record, safe_sample=1600, next_seq=2)
    await store.push(early, a_segment(record, 0), None)
    await store.push(late, a_segment(record, 1), None)
    await store.push(early, a_segment(record, 0), None)
    taken = await store.take_over(record.session_id, record.connection_id)
    assert taken is not None
    assert taken == msgspec.structs.replace(late, generation=taken.generation)
