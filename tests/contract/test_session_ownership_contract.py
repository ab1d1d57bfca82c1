"""Who owns a session, and what is left of it: a store that comes back older, calls that arrive late."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from shared.bus.ports import (
    TAKE_OVER_S,
    AlreadyOpen,
    AudioChunk,
    Deleted,
    HighWater,
    SessionRecord,
    SessionStore,
)
from shared.errors import BusUnavailable, Fenced, StateLost
from shared.ids import ConnectionId, Epoch, SessionId
from tests.contract.bus_harness import Bus, RecordingSink, a_record, a_result, a_segment, claim_all

OLDER, NEWER = ConnectionId("c1"), ConnectionId("c2")


def further(record: SessionRecord, windows: int) -> SessionRecord:
    return msgspec.structs.replace(record, safe_sample=windows * 10, next_seq=windows)


async def push(store: SessionStore, record: SessionRecord, seq: int, seen: HighWater) -> SessionRecord:
    """One window more; the record as it is stored then."""
    after = further(record, seq + 1)
    await store.push(after, a_segment(record, seq), AudioChunk(seq * 10, bytes(20)), seen)
    return after


async def test_a_store_that_lost_pushes_is_found_out_by_the_next_one(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await push(store, record, 0, HighWater())
    saved = await bus.save()
    await push(store, record, 1, HighWater(0, 10, 1))
    await bus.roll_back(saved)
    with pytest.raises(StateLost):
        await push(store, record, 2, HighWater(0, 20, 2))
    page = await store.results_after(record.session_id, record.epoch, 0, HighWater(0, 20, 2))
    assert not page.complete
    anew = msgspec.structs.replace(further(record, 2), epoch=Epoch("e2"), generation=record.generation + 1)
    await store.reopen(anew)
    await push(store, anew, 2, HighWater(0, 20, 2))
    assert await store.audio_from(record.session_id, 0) == (AudioChunk(20, bytes(20)),)


async def test_a_store_that_lost_results_is_found_out_by_reading_and_by_pushing(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await push(store, record, 0, HighWater())
    saved = await bus.save()
    await store.settle(a_result(a_segment(record, 0)))
    await bus.roll_back(saved)
    seen = HighWater(1, 10, 1)
    assert not (await store.results_after(record.session_id, record.epoch, 1, seen)).complete
    with pytest.raises(StateLost):
        await push(store, record, 1, seen)


async def test_a_store_that_lost_nothing_agrees(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await push(store, record, 0, HighWater())
    await store.settle(a_result(a_segment(record, 0)))
    saved = await bus.save()
    await bus.roll_back(saved)
    seen = HighWater(1, 10, 1)
    assert (await store.results_after(record.session_id, record.epoch, 1, seen)).complete
    await push(store, record, 1, seen)


async def test_a_take_over_that_the_store_forgot_holds_for_the_one_who_took(bus: Bus) -> None:
    """The connection in the old snapshot has long ended: its successor must not be told to stay away."""
    store, record = bus.store(), a_record()
    await store.open(record)
    await push(store, record, 0, HighWater())
    saved = await bus.save()
    taken = await store.take_over(record.session_id, NEWER)
    assert taken is not None
    await bus.roll_back(saved)
    await push(store, taken, 1, HighWater(0, 10, 1))
    with pytest.raises(Fenced):
        await push(store, record, 1, HighWater(0, 10, 1))


async def test_after_a_loss_the_newest_connection_wins_whoever_comes_first(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    taken = await store.take_over(record.session_id, NEWER)
    assert taken is not None
    await bus.wipe()
    anew = {
        owner: msgspec.structs.replace(
            owned, connection_id=owner, epoch=Epoch(f"{owner}-2"), generation=owned.generation + 1
        )
        for owner, owned in ((OLDER, record), (NEWER, taken))
    }
    await store.reopen(anew[OLDER])
    await store.reopen(anew[NEWER])
    with pytest.raises(Fenced):
        await store.reopen(anew[OLDER])
    with pytest.raises(Fenced):
        await store.push(anew[OLDER], None, None)
    await store.push(anew[NEWER], None, None)


async def test_who_asked_earlier_takes_nothing_from_who_asked_later(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    early = await store.ticket(record.session_id)
    await feed.subscribe(record.session_id, NEWER, sink)
    assert await store.take_over(record.session_id, NEWER) is not None
    with pytest.raises(Fenced):
        await store.take_over(record.session_id, ConnectionId("late"), ticket=early)
    await store.settle(a_result(a_segment(record, 0)))
    await sink.until(lambda seen: len(seen.results) == 1)
    assert sink.takeovers == []


async def test_a_take_over_that_nobody_waits_for_any_more_is_refused(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    long_ago = await store.ticket(record.session_id) - int((TAKE_OVER_S + 1) * 1_000_000)
    with pytest.raises(BusUnavailable):
        await store.take_over(record.session_id, NEWER, ticket=long_ago)
    await store.push(record, a_segment(record, 0), None)
    await store.settle(a_result(a_segment(record, 0)))
    await sink.until(lambda seen: len(seen.results) == 1)
    assert sink.takeovers == []


async def test_opening_never_replaces_what_lives(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await store.push(record, a_segment(record, 0), AudioChunk(0, bytes(20)))
    await store.open(record)  # repeated: its reply was lost
    with pytest.raises(AlreadyOpen):
        await store.open(a_record(connection="c2", epoch="e2"))
    assert await store.audio_from(record.session_id, 0) == (AudioChunk(0, bytes(20)),)


async def test_a_reopening_that_arrives_late_wipes_nothing(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    first = msgspec.structs.replace(record, epoch=Epoch("e2"), generation=1)
    second = msgspec.structs.replace(record, epoch=Epoch("e3"), generation=2)
    await store.open(record)
    await store.reopen(second)
    await store.push(second, None, AudioChunk(0, bytes(20)))
    with pytest.raises(Fenced):
        await store.reopen(first)
    await store.reopen(second)  # repeated: its reply was lost
    assert await store.audio_from(record.session_id, 0) == (AudioChunk(0, bytes(20)),)


async def test_of_ten_who_open_one_unknown_session_one_owns_it(bus: Bus) -> None:
    """Each as a gateway does it: a ticket, a take-over, an opening where nobody was first."""
    store, session_id = bus.store(), SessionId("nobody-knows-it")

    async def come(number: int) -> SessionRecord | None:
        connection, ticket = ConnectionId(f"c{number}"), await store.ticket(session_id)
        record = a_record(session_id, connection, f"e{number}")
        while True:
            try:
                taken = await store.take_over(session_id, connection, ticket=ticket)
                if taken is not None:
                    return taken
                mine = msgspec.structs.replace(record, generation=ticket)
                await store.open(mine)
            except AlreadyOpen:
                continue
            except Fenced:
                return None
            return mine

    came = await asyncio.gather(*(come(number) for number in range(10)))
    owners = []
    for record in came:
        if record is None:
            continue
        try:
            await store.push(record, None, None)
        except (Fenced, StateLost):
            continue
        owners.append(record)
    assert len(owners) == 1


async def test_a_closed_session_is_kept_for_a_lost_last_event_and_no_longer(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await store.push(record, None, AudioChunk(0, bytes(20)))
    await store.close(record.session_id, record.connection_id, keep_s=1)
    assert await store.take_over(record.session_id, NEWER) is not None  # which does not make it live longer
    async with asyncio.timeout(5):
        while await store.audio_from(record.session_id, 0):  # noqa: ASYNC110 (a key's life has no event)
            await asyncio.sleep(0.05)
    assert await store.take_over(record.session_id, NEWER) is None


async def test_a_deleted_session_is_gone_and_its_owner_is_told(bus: Bus) -> None:
    store, feed, record, sink = bus.store(), bus.feed(), a_record(), RecordingSink()
    await store.open(record)
    await feed.subscribe(record.session_id, record.connection_id, sink)
    await store.push(record, a_segment(record, 0), AudioChunk(0, bytes(20)))
    assert await store.delete(record.session_id, "another-tenant") is None
    deleted = Deleted(record.epoch, record.connection_id)
    assert await store.delete(record.session_id, record.tenant) == deleted
    assert await store.delete(record.session_id, record.tenant) is None
    await sink.until(lambda seen: len(seen.takeovers) == 1)
    assert await store.audio_from(record.session_id, 0) == ()
    with pytest.raises(Fenced):
        await store.push(record, None, AudioChunk(10, bytes(20)))
    with pytest.raises(Fenced):
        await store.reopen(msgspec.structs.replace(record, epoch=Epoch("e2"), generation=1))
    assert await store.take_over(record.session_id, NEWER) is None
    [claim] = await claim_all(bus.queue())
    assert [o.committed for o in await bus.queue().commit([(claim, a_result(claim.segment))])] == [False]


async def test_a_deleted_id_may_be_used_again(bus: Bus) -> None:
    store, record = bus.store(), a_record()
    await store.open(record)
    await store.delete(record.session_id, record.tenant)
    ticket = await store.ticket(record.session_id)
    anew = msgspec.structs.replace(a_record(connection="c2", epoch="e2"), generation=ticket)
    await store.open(anew)
    await store.push(anew, None, AudioChunk(0, bytes(20)))
