"""What a `WorkQueue` promises, in memory and on Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from shared.bus.ports import AudioChunk, CommitOutcome, SessionRecord, SessionStore
from shared.ids import short_id
from tests.contract.bus_harness import (
    WAIT_S,
    Bus,
    RecordingSink,
    a_record,
    a_result,
    a_segment,
    claim_all,
    session_on,
)

NEVER_MS = 3_600_000


async def pushed(store: SessionStore, seqs: Sequence[int], shard: int = 0) -> SessionRecord:
    record = a_record(session_on(shard))
    await store.open(record)
    for seq in seqs:
        await store.push(record, a_segment(record, seq), None)
    return record


async def test_segments_come_in_order_once_and_leave_with_their_commit(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    record = await pushed(store, range(3))
    first = await queue.claim(0, 2, block_ms=0)
    rest = await queue.claim(0, 2, block_ms=0)
    assert [claim.segment for claim in (*first, *rest)] == [a_segment(record, seq) for seq in range(3)]
    assert {claim.deliveries for claim in (*first, *rest)} == {1}
    assert await queue.claim(0, 2, block_ms=0) == []
    assert await queue.depth() == 3
    outcomes = await queue.commit([(claim, a_result(claim.segment)) for claim in (*first, *rest)])
    assert outcomes == [CommitOutcome(True, 1), CommitOutcome(True, 2), CommitOutcome(True, 3)]
    assert await queue.depth() == 0
    assert await queue.reclaim(0, 0, 10) == []


async def test_a_segment_whose_end_is_stored_with_it_comes_whole(bus: Bus) -> None:
    store, queue, record = bus.store(), bus.queue(), a_record()
    await queue.start()
    await store.open(record)
    pcm = bytes(range(80))
    first, second = a_segment(record, 0, pcm[:40]), a_segment(record, 1, pcm[20:])
    for segment, chunk in ((first, AudioChunk(0, pcm[:40])), (second, AudioChunk(20, pcm[40:]))):
        await store.push(record, segment, chunk)
    claims = await claim_all(queue)
    assert [claim.segment for claim in claims] == [first, second]
    assert await store.audio_from(record.session_id, 0) == (AudioChunk(0, pcm),)
    # A gateway that heard nothing pushes again: the audio is there already, the segment is not answered.
    await store.push(record, second, AudioChunk(20, pcm[40:]))
    [again] = await claim_all(queue)
    assert again.segment == second
    assert await store.audio_from(record.session_id, 0) == (AudioChunk(0, pcm),)


async def test_segments_of_every_codec_come_as_they_were_pushed(bus: Bus) -> None:
    store, queue, record = bus.store(), bus.queue(), a_record()
    await queue.start()
    await store.open(record)
    pushed = [
        msgspec.structs.replace(a_segment(record, seq), codec=codec, samples=8)
        for seq, codec in enumerate(("pcm16", "mel_u8", "flac", "opus", "not invented yet"))
    ]
    for segment in pushed:
        await store.push(record, segment, AudioChunk(segment.start_sample, b"\x03\x04" * 8))
    assert [claim.segment for claim in await claim_all(queue)] == pushed


async def test_segments_pushed_before_any_worker_came_are_work(bus: Bus) -> None:
    await pushed(bus.store(), [0])
    queue = bus.queue()
    await queue.start()
    assert len(await queue.claim(0, 10, block_ms=0)) == 1


async def test_claim_waits_for_work(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    waiting = asyncio.create_task(queue.claim(0, 10, block_ms=int(WAIT_S * 1000)))
    await pushed(store, [0])
    claims = await waiting
    assert [claim.segment.seq for claim in claims] == [0]


async def test_each_shard_has_its_own_work(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    await pushed(store, [0], shard=0)
    other = await pushed(store, [0, 1], shard=1)
    claims = await queue.claim(1, 10, block_ms=0)
    assert [(claim.shard, claim.segment.session_id) for claim in claims] == [(1, other.session_id)] * 2
    mixed = [*claims, *await queue.claim(0, 10, block_ms=0)]
    mixed = [mixed[0], mixed[2], mixed[1]]
    outcomes = await queue.commit([(claim, a_result(claim.segment)) for claim in mixed])
    assert outcomes == [CommitOutcome(True, 1), CommitOutcome(True, 1), CommitOutcome(True, 2)]


async def test_two_workers_share_the_work(bus: Bus) -> None:
    store, one, two = bus.store(), bus.queue("w1"), bus.queue("w2")
    await one.start()
    await two.start()
    await pushed(store, range(4))
    claims = [*await one.claim(0, 2, block_ms=0), *await two.claim(0, 2, block_ms=0)]
    assert sorted(claim.segment.seq for claim in claims) == [0, 1, 2, 3]
    assert await one.claim(0, 2, block_ms=0) == []


async def test_a_dead_workers_segments_are_reclaimed_and_counted(bus: Bus) -> None:
    store, dead, alive = bus.store(), bus.queue("w1"), bus.queue("w2")
    await dead.start()
    await pushed(store, [0])
    await claim_all(dead)
    assert await alive.reclaim(0, NEVER_MS, 10) == []
    [second] = await alive.reclaim(0, 0, 10)
    assert (second.deliveries, second.segment.seq) == (2, 0)
    [third] = await bus.queue("w3").reclaim(0, 0, 10)
    assert third.deliveries == 3


async def test_a_worker_does_not_reclaim_what_it_is_working_on(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    await pushed(store, [0])
    await claim_all(queue)
    assert await queue.reclaim(0, 0, 10) == []


async def test_the_zombies_late_result_is_not_counted_twice(bus: Bus) -> None:
    store, zombie, alive = bus.store(), bus.queue("w1"), bus.queue("w2")
    await zombie.start()
    record = await pushed(store, [0])
    [stale] = await claim_all(zombie)
    [taken] = await alive.reclaim(0, 0, 10)
    assert await alive.commit([(taken, a_result(taken.segment, "first"))]) == [CommitOutcome(True, 1)]
    assert await zombie.commit([(stale, a_result(stale.segment, "late"))]) == [CommitOutcome(False, 1)]
    page = await store.results_after(record.session_id, record.epoch, 0)
    assert [logged.result.text for logged in page.results] == ["first"]


async def test_a_restarted_worker_gets_its_pending_segments_first(bus: Bus) -> None:
    store, before = bus.store(), bus.queue("w1")
    await before.start()
    record = await pushed(store, [0])
    await claim_all(before)
    await store.push(record, a_segment(record, 1), None)
    again = bus.queue("w1")
    await again.start()
    [pending] = await again.claim(0, 10, block_ms=0)
    assert pending.segment.seq == 0
    assert pending.deliveries == 2
    [new] = await again.claim(0, 10, block_ms=0)
    assert (new.segment.seq, new.deliveries) == (1, 1)


async def test_a_cancelled_reader_loses_nothing(bus: Bus) -> None:
    """Redis may have delivered an entry to the connection whose reader was cancelled (19 of 20 times)."""
    store, queue = bus.store(), bus.queue()
    await queue.start()
    record = a_record()
    await store.open(record)
    seen: list[int] = []
    for seq in range(10):
        reader = asyncio.create_task(queue.claim(0, 10, block_ms=2_000))
        await asyncio.sleep(0)
        pushing = asyncio.create_task(store.push(record, a_segment(record, seq), None))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait([reader])
        await pushing
        claims = [] if reader.cancelled() else reader.result()
        claims += await claim_all(queue)
        claims += await claim_all(queue)
        seen += [claim.segment.seq for claim in claims]
        await queue.commit([(claim, a_result(claim.segment)) for claim in claims])
    assert seen == list(range(10))


async def test_commits_after_the_session_is_gone_or_anew_only_clear_the_stream(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    record = await pushed(store, [0, 1])
    first, second = await claim_all(queue)
    await store.close(record.session_id, record.connection_id)
    assert await queue.commit([(first, a_result(first.segment))]) == [CommitOutcome(False, 0)]
    anew = a_record(record.session_id, epoch="e2")
    await store.open(anew)
    assert await queue.commit([(second, a_result(second.segment))]) == [CommitOutcome(False, 0)]
    assert await queue.depth() == 0
    page = await store.results_after(record.session_id, anew.epoch, 0)
    assert (page.top, page.complete) == (0, True)


async def test_a_result_goes_to_the_connection_that_owns_the_session_now(bus: Bus) -> None:
    store, queue, feed = bus.store(), bus.queue(), bus.feed()
    await queue.start()
    record = await pushed(store, [0])
    [claim] = await claim_all(queue)
    former, current = RecordingSink(), RecordingSink()
    newer = a_record(connection="c2").connection_id
    await feed.subscribe(record.session_id, record.connection_id, former)
    await feed.subscribe(record.session_id, newer, current)
    await store.take_over(record.session_id, newer)
    await queue.commit([(claim, a_result(claim.segment))])
    await current.until(lambda seen: len(seen.results) == 1)
    assert former.results == []


async def test_bury_keeps_what_why_and_how_often(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    record = await pushed(store, [0])
    [claim] = await claim_all(queue)
    await queue.bury(claim, "engine crashed three times")
    assert await queue.depth() == 1  # the caller's commit takes it out
    [note] = await bus.dead()
    assert note["reason"] == "engine crashed three times"
    assert (note["session"], note["seq"], note["deliveries"]) == (short_id(record.session_id), "0", "1")
    assert "audio" not in note


async def test_refresh_keeps_others_from_reclaiming(bus: Bus) -> None:
    store, queue, other = bus.store(), bus.queue("w1"), bus.queue("w2")
    await queue.start()
    await pushed(store, [0])
    claims = await claim_all(queue)
    await queue.refresh(claims)
    assert await other.reclaim(0, NEVER_MS, 10) == []
    [taken] = await other.reclaim(0, 0, 10)
    await queue.refresh(claims)  # not ours any more: must not be taken back
    assert taken.deliveries == 2
    assert await other.commit([(taken, a_result(taken.segment))]) == [CommitOutcome(True, 1)]


async def test_depth_and_age(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    assert (await queue.depth(), await queue.oldest_age_ms()) == (0, 0)
    await pushed(store, [0, 1], shard=0)
    await pushed(store, [0], shard=1)
    assert await queue.depth() == 3
    assert 0 <= await queue.oldest_age_ms() < NEVER_MS


async def test_work_goes_on_after_everything_was_wiped(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    await pushed(store, [0])
    [lost] = await claim_all(queue)
    await bus.wipe()
    assert await queue.commit([(lost, a_result(lost.segment))]) == [CommitOutcome(False, 0)]
    assert await queue.reclaim(0, 0, 10) == []
    await queue.refresh([lost])
    await pushed(store, [7])
    claims = [*await claim_all(queue), *await claim_all(queue)]
    assert [claim.segment.seq for claim in claims] == [7]


async def test_a_waiting_reader_survives_a_wipe(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue()
    await queue.start()
    await pushed(store, [0])
    await claim_all(queue)
    waiting = asyncio.create_task(queue.claim(0, 10, block_ms=NEVER_MS))
    async with asyncio.timeout(WAIT_S):
        while not await bus.readers_waiting():  # noqa: ASYNC110 (a blocked reader has no event)
            await asyncio.sleep(0)
    await bus.wipe()
    await pushed(store, [7])
    claims = [*await waiting, *await claim_all(queue), *await claim_all(queue)]
    assert [claim.segment.seq for claim in claims] == [7]


async def test_close_with_pending_work_leaves_it_to_others(bus: Bus) -> None:
    store, queue = bus.store(), bus.queue("w1")
    await queue.start()
    await pushed(store, [0])
    await claim_all(queue)
    await queue.close()
    [claim] = await bus.queue("w2").reclaim(0, 0, 10)
    assert claim.segment.seq == 0


async def test_what_nobody_waits_for_any_more_is_known(bus: Bus) -> None:
    store, queue, record = bus.store(), bus.queue(), a_record()
    await store.open(record)
    for seq in range(2):
        await store.push(record, a_segment(record, seq), None)
    wanted, given_up = await claim_all(queue)
    await store.settle(a_result(given_up.segment, outcome="dropped"))
    states = await queue.look_up([given_up, wanted])
    assert [state.wanted for state in states] == [False, True]
    assert all(0 <= state.age_ms < 60_000 for state in states)
    await bus.wipe()
    assert [state.wanted for state in await queue.look_up([wanted])] == [False]
