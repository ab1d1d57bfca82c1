"""The bus inside one process: the same promises as on Redis, for tests and single-process runs."""

from __future__ import annotations

import msgspec

from shared.audio.formats import SAMPLE_RATE
from shared.bus import stored_audio
from shared.bus.ports import (
    TAKE_OVER_S,
    UNSEEN,
    AlreadyOpen,
    AudioChunk,
    CommitOutcome,
    Deleted,
    HighWater,
    ResultPage,
    ResultSink,
    SessionKind,
    SessionRecord,
)
from shared.errors import BusUnavailable, Fenced, QueueFull, StateLost
from shared.ids import ConnectionId, Epoch, SessionId
from shared.protocol.segments import Segment, SegmentResult
from tests.memory.bus_state import MemoryBus, StoredSegment, StoredSession


class MemorySessionStore:
    """See `shared.bus.ports.SessionStore`."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def ticket(self, session_id: SessionId) -> int:
        self._check(session_id)
        stored = self._bus.session(session_id)
        owned = self._bus.deleted.get(session_id, 0) if stored is None else stored.record.generation
        return max(self._bus.now_us(), owned + 1)

    async def open(self, record: SessionRecord) -> None:
        stored = self._stored_for(record)
        if stored is None and self._bus.deleted.get(record.session_id, -1) > record.generation:
            raise AlreadyOpen("another connection has opened this session: take it over")
        if stored is not None and not _same(stored.record, record):
            raise AlreadyOpen("another connection has opened this session: take it over")
        if stored is None:
            self._create(record)

    async def reopen(self, record: SessionRecord) -> None:
        stored = self._stored_for(record)
        owned = self._bus.deleted.get(record.session_id, -1) if stored is None else stored.record.generation
        if owned > record.generation:
            raise _fenced()
        if stored is None or not _same(stored.record, record):
            self._create(record)
            if stored is not None:
                self._tell_former(stored.record, record.connection_id)

    async def take_over(
        self,
        session_id: SessionId,
        connection_id: ConnectionId,
        kind: SessionKind | None = None,
        ticket: int | None = None,
    ) -> SessionRecord | None:
        ticket = await self.ticket(session_id) if ticket is None else ticket
        self._check(session_id)
        stored = self._bus.session(session_id)
        if stored is None:
            return None
        former = stored.record
        if self._bus.now_us() > ticket + TAKE_OVER_S * 1_000_000:
            raise BusUnavailable("the store heard of this connection too late; reconnect")
        if former.generation > ticket or (
            former.generation == ticket and former.connection_id != connection_id
        ):
            raise _fenced()
        if kind is not None and kind != (former.protocol, former.subject, former.tenant):
            return former
        stored.record = msgspec.structs.replace(former, connection_id=connection_id, generation=ticket)
        stored.expires_s = self._bus.expiry(stored.keep_s)
        self._tell_former(former, connection_id)
        return stored.record

    async def push(
        self,
        record: SessionRecord,
        segment: Segment | None,
        audio: AudioChunk | None,
        seen: HighWater = UNSEEN,
    ) -> None:
        self._check(record.session_id)
        stored = self._owned(record, seen)
        fresh = segment is not None and segment.seq not in stored.offsets
        if segment is not None and fresh:
            stream = self._bus.stream(segment.pool, self._bus.shard(segment.session_id))
            if len(stream) >= self._bus.limits.max_stream_length:
                raise QueueFull(f"the segment stream of pool {segment.pool} is full")
            stream[self._bus.new_entry_id()] = StoredSegment(segment, self._bus.clock.monotonic())
        before = stored.record
        if (record.safe_sample, record.next_seq) >= (before.safe_sample, before.next_seq):
            stored.record = record
        stored.expires_s = self._bus.expiry(stored.keep_s)
        if audio is not None and audio.pcm:
            self._append(stored, audio)
        async with self._bus.arrivals:
            self._bus.arrivals.notify_all()

    async def settle(self, result: SegmentResult) -> CommitOutcome:
        self._check(result.session_id)
        return self._bus.log_outcome(result)

    async def results_after(
        self, session_id: SessionId, epoch: Epoch, after: int, seen: HighWater = UNSEEN
    ) -> ResultPage:
        self._check(session_id)
        stored = self._bus.session(session_id)
        if stored is None:
            return ResultPage(Epoch(""), 0, (), complete=False)
        if stored.record.epoch != epoch:
            return ResultPage(stored.record.epoch, stored.top, (), complete=False)
        logged = tuple(result for result in stored.results if result.offset > after)
        proved = after <= stored.top and len(logged) == stored.top - after
        return ResultPage(epoch, stored.top, logged, complete=proved and not _behind(stored, seen))

    async def audio_from(self, session_id: SessionId, sample: int) -> tuple[AudioChunk, ...]:
        self._check(session_id)
        stored = self._bus.session(session_id)
        first = max(0, sample)
        chunks = stored.audio if stored is not None else []
        return stored_audio.join((c for c in chunks if stored_audio.end_sample(c) > first), first)

    async def close(self, session_id: SessionId, connection_id: ConnectionId, keep_s: int = 0) -> None:
        self._check(session_id)
        stored = self._bus.session(session_id)
        if stored is None or stored.record.connection_id != connection_id:
            return
        if keep_s <= 0:
            del self._bus.sessions[session_id]
            return
        stored.keep_s = keep_s
        stored.expires_s = self._bus.expiry(keep_s)

    async def delete(self, session_id: SessionId, tenant: str) -> Deleted | None:
        self._check(session_id)
        stored = self._bus.session(session_id)
        if stored is None or stored.record.tenant != tenant:
            return None
        self._bus.deleted[session_id] = max(self._bus.now_us(), stored.record.generation + 1)
        del self._bus.sessions[session_id]
        self._tell_former(stored.record, ConnectionId(""))
        return Deleted(stored.record.epoch, stored.record.connection_id)

    async def ping(self) -> int:
        away = 0
        for shard in range(self._bus.shards):
            try:
                self._bus.check(shard)
            except BusUnavailable:
                away += 1
                if away == self._bus.shards:
                    raise
        return away

    def _check(self, session_id: SessionId) -> None:
        self._bus.check(self._bus.shard(session_id))

    def _stored_for(self, record: SessionRecord) -> StoredSession | None:
        self._check(record.session_id)
        return self._bus.session(record.session_id)

    def _create(self, record: SessionRecord) -> None:
        self._bus.deleted.pop(record.session_id, None)
        self._bus.sessions[record.session_id] = StoredSession(record, self._bus.expiry())

    def _owned(self, record: SessionRecord, seen: HighWater) -> StoredSession:
        stored = self._bus.session(record.session_id)
        if record.session_id in self._bus.deleted:
            raise _fenced()
        if stored is None:
            raise StateLost("the session is not stored: open it anew")
        owner = stored.record
        mine = owner.connection_id == record.connection_id
        if owner.generation > record.generation or (owner.generation == record.generation and not mine):
            raise _fenced()
        if owner.epoch != record.epoch or _behind(stored, seen):
            raise StateLost("the session is not stored as this connection left it: go on under a new epoch")
        return stored

    def _append(self, stored: StoredSession, audio: AudioChunk) -> None:
        limits, chunks = self._bus.limits, stored.audio
        end = stored_audio.end_sample(audio)
        if limits.store_audio == "off" or (chunks and end <= stored_audio.end_sample(chunks[-1])):
            return
        chunks.append(audio)
        if limits.store_audio == "tail":
            keep_from = end - int(limits.tail_audio_s * SAMPLE_RATE)
            chunks[:] = [chunk for chunk in chunks if stored_audio.end_sample(chunk) >= keep_from]
        while sum(len(chunk.pcm) for chunk in chunks) > limits.max_audio_bytes:
            del chunks[0]

    def _tell_former(self, former: SessionRecord, by: ConnectionId) -> None:
        if former.connection_id != by:
            self._bus.notify_takeover(former.connection_id, former.session_id, by)


def _same(stored: SessionRecord, record: SessionRecord) -> bool:
    """Whether this very opening has been stored already."""
    return (stored.connection_id, stored.epoch) == (record.connection_id, record.epoch)


def _behind(stored: StoredSession, seen: HighWater) -> bool:
    now = HighWater(stored.top, stored.record.safe_sample, stored.record.next_seq)
    return any(here < then for here, then in zip(now, seen, strict=True))


def _fenced() -> Fenced:
    return Fenced("a newer connection owns this session: stop writing")


class MemoryResultFeed:
    """See `shared.bus.ports.ResultFeed`."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._mine: set[ConnectionId] = set()

    async def subscribe(self, session_id: SessionId, connection_id: ConnectionId, sink: ResultSink) -> None:
        self._bus.check(self._bus.shard(session_id))
        self._bus.sinks[connection_id] = sink
        self._mine.add(connection_id)

    async def unsubscribe(self, session_id: SessionId, connection_id: ConnectionId) -> None:
        self._bus.sinks.pop(connection_id, None)
        self._mine.discard(connection_id)

    async def close(self) -> None:
        for connection_id in self._mine:
            self._bus.sinks.pop(connection_id, None)
        self._mine.clear()
