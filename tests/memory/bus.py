"""The bus inside one process: the same promises as on Redis, for tests and single-process runs."""

from __future__ import annotations

import msgspec

from shared.bus import stored_audio
from shared.bus.ports import AudioChunk, CommitOutcome, ResultPage, ResultSink, SessionKind, SessionRecord
from shared.errors import Fenced, QueueFull, StateLost
from shared.ids import ConnectionId, Epoch, SessionId
from shared.protocol.segments import SAMPLE_RATE, Segment, SegmentResult
from tests.memory.bus_state import MemoryBus, StoredSegment, StoredSession


class MemorySessionStore:
    """See `shared.bus.ports.SessionStore`."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def open(self, record: SessionRecord) -> None:
        self._check(record.session_id)
        former = self._bus.session(record.session_id)
        self._bus.sessions[record.session_id] = StoredSession(record, self._bus.expiry())
        if former is not None:
            self._tell_former(former.record, record.connection_id)

    async def take_over(
        self, session_id: SessionId, connection_id: ConnectionId, kind: SessionKind | None = None
    ) -> SessionRecord | None:
        self._check(session_id)
        stored = self._bus.session(session_id)
        if stored is None:
            return None
        former = stored.record
        if kind is not None and kind != (former.protocol, former.subject, former.tenant):
            return former
        stored.record = msgspec.structs.replace(former, connection_id=connection_id)
        stored.expires_s = self._bus.expiry()
        self._tell_former(former, connection_id)
        return stored.record

    async def push(self, record: SessionRecord, segment: Segment | None, audio: AudioChunk | None) -> None:
        self._check(record.session_id)
        stored = self._owned(record)
        fresh = segment is not None and segment.seq not in stored.offsets
        if segment is not None and fresh:
            stream = self._bus.stream(segment.pool, self._bus.shard(segment.session_id))
            if len(stream) >= self._bus.limits.max_stream_length:
                raise QueueFull(f"the segment stream of pool {segment.pool} is full")
            stream[self._bus.new_entry_id()] = StoredSegment(segment, self._bus.clock.monotonic())
        if record.safe_sample >= stored.record.safe_sample:
            stored.record = record
        stored.expires_s = self._bus.expiry()
        if audio is not None and audio.pcm:
            self._append(stored, audio)
        async with self._bus.arrivals:
            self._bus.arrivals.notify_all()

    async def settle(self, result: SegmentResult) -> CommitOutcome:
        self._check(result.session_id)
        return self._bus.log_outcome(result)

    async def results_after(self, session_id: SessionId, epoch: Epoch, after: int) -> ResultPage:
        self._check(session_id)
        stored = self._bus.session(session_id)
        if stored is None:
            return ResultPage(Epoch(""), 0, (), complete=False)
        if stored.record.epoch != epoch:
            return ResultPage(stored.record.epoch, stored.top, (), complete=False)
        logged = tuple(result for result in stored.results if result.offset > after)
        proved = after <= stored.top and len(logged) == stored.top - after
        return ResultPage(epoch, stored.top, logged, complete=proved)

    async def audio_from(self, session_id: SessionId, sample: int) -> AudioChunk:
        self._check(session_id)
        stored = self._bus.session(session_id)
        first = max(0, sample)
        chunks = stored.audio if stored is not None else []
        return stored_audio.join((c for c in chunks if stored_audio.end_sample(c) > first), first)

    async def close(self, session_id: SessionId, connection_id: ConnectionId) -> None:
        self._check(session_id)
        stored = self._bus.session(session_id)
        if stored is not None and stored.record.connection_id == connection_id:
            del self._bus.sessions[session_id]

    async def ping(self) -> None:
        for shard in range(self._bus.shards):
            self._bus.check(shard)

    def _check(self, session_id: SessionId) -> None:
        self._bus.check(self._bus.shard(session_id))

    def _owned(self, record: SessionRecord) -> StoredSession:
        stored = self._bus.session(record.session_id)
        if stored is None:
            raise StateLost(f"session {record.session_id} is not stored: open it anew")
        if stored.record.connection_id != record.connection_id:
            raise Fenced(f"a newer connection owns session {record.session_id}: stop writing")
        if stored.record.epoch != record.epoch:
            raise StateLost(f"session {record.session_id} is not at epoch {record.epoch}: open it anew")
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
