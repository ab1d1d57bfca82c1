"""The `SessionStore` on Redis: every write is one Lua script on the session's own shard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from shared.audio.formats import SAMPLE_RATE
from shared.bus import keys, segment_entries, stored_audio
from shared.bus.keys import WORKER_GROUP
from shared.bus.limits import AudioCodec, BusLimits
from shared.bus.metrics import BusMetrics
from shared.bus.ports import (
    TAKE_OVER_S,
    UNSEEN,
    AlreadyOpen,
    AudioChunk,
    CommitOutcome,
    Deleted,
    HighWater,
    ResultPage,
    SessionKind,
    SessionRecord,
)
from shared.bus.records import from_fields, progress, to_fields
from shared.bus.redis_connections import RedisConnections, Shard, command, execute, queue_command
from shared.bus.redis_errors import redis_errors
from shared.bus.redis_pipeline import PipelineLimits, ScriptPipeline
from shared.bus.redis_scripts import Call, LuaScript, ScriptArgument
from shared.bus.sharding import shard_of
from shared.errors import (
    BadRequest,
    BusUnavailable,
    Fenced,
    QueueFull,
    RattilError,
    StateLost,
)
from shared.ids import ConnectionId, Epoch, PoolName, SessionId
from shared.protocol import codec
from shared.protocol.segments import LoggedResult, Segment, SegmentResult, Takeover

TICKET = LuaScript("ticket")
OPEN = LuaScript("open")
TAKE_OVER = LuaScript("take_over")
PUSH = LuaScript("push")
COMMIT = LuaScript("commit")
CLOSE = LuaScript("close")
DELETE = LuaScript("delete")

NOBODY = ConnectionId("")
"""Who takes a session over that is deleted."""

_DELETED_MARK_S = 60
"""How long writes of a deleted session are refused: longer than any of them can be on its way."""

_READ_AT_ONCE = 64
"""Entries of stored audio in one reply: about 5 MB at the default window."""


def session_keys(session_id: SessionId) -> list[str]:
    """The keys of one session, in the order in which every script takes them."""
    return [
        keys.session(session_id),
        keys.session_audio(session_id),
        keys.session_results(session_id),
        keys.session_offsets(session_id),
    ]


def commit_call(result: SegmentResult, limits: BusLimits, stream: str = "", entry_id: str = "") -> Call:
    """The run of `COMMIT` for one outcome; without a stream and an entry it only logs and publishes."""
    segments = stream or keys.session(result.session_id)  # a key of the same slot, not touched
    args: list[ScriptArgument] = [
        limits.session_ttl_s,
        result.epoch,
        result.seq,
        codec.encode_result(result),
        limits.max_results,
        result.connection_id,
        WORKER_GROUP,
        entry_id,
    ]
    return [*session_keys(result.session_id), segments], args


class _AudioArguments(NamedTuple):
    """What the push script is told of the audio to store, in its order; an empty `entry`: nothing."""

    entry: bytes = b""
    start_sample: int = 0
    end_sample: int = 0
    max_bytes: int = 0
    keep_from: int = 0


class RedisSessionStore:
    """See `shared.bus.ports.SessionStore`. The connections stay the caller's to close."""

    def __init__(
        self,
        connections: RedisConnections,
        limits: BusLimits | None = None,
        metrics: BusMetrics | None = None,
        pipelines: PipelineLimits | None = None,
        expect_audio_room: Callable[[int], None] = lambda shard: None,
    ) -> None:
        """`expect_audio_room`: raises `QueueFull` while a shard (by number) has no room for more audio."""
        self._connections = connections
        self._expect_audio_room = expect_audio_room
        self._limits = limits or BusLimits()
        self._metrics = metrics or BusMetrics()
        self._scripts = tuple(
            ScriptPipeline(
                shard.commands,
                pipelines,
                self._metrics.writes_waiting.labels(shard.index),
                self._metrics.script_seconds,
            )
            for shard in connections.shards
        )

    async def ticket(self, session_id: SessionId) -> int:
        with redis_errors("asking for a session"):
            return int(await self._run(TICKET, session_id, [keys.session(session_id)], []))

    async def open(self, record: SessionRecord) -> None:
        if await self._create(record, replace=False) != b"ok":
            raise AlreadyOpen("another connection has opened this session: take it over")

    async def reopen(self, record: SessionRecord) -> None:
        if await self._create(record, replace=True) != b"ok":
            raise _fenced()

    async def take_over(
        self,
        session_id: SessionId,
        connection_id: ConnectionId,
        kind: SessionKind | None = None,
        ticket: int | None = None,
    ) -> SessionRecord | None:
        ticket = await self.ticket(session_id) if ticket is None else ticket
        takeover = codec.encode_takeover(Takeover(session_id=session_id, by=connection_id))
        good_for_us = int(TAKE_OVER_S * 1_000_000)
        args: list[ScriptArgument] = [
            self._limits.session_ttl_s,
            connection_id,
            ticket,
            good_for_us,
            takeover,
        ]
        with redis_errors("taking over a session"):
            said = await self._run(TAKE_OVER, session_id, session_keys(session_id), [*args, *(kind or ())])
        if said is None:
            return None
        if said == b"late":
            raise BusUnavailable(
                f"Redis took more than {TAKE_OVER_S:g} s to hear of this connection; reconnect"
            )
        if said == b"fenced":
            raise _fenced()
        return from_fields(dict(zip(said[::2], said[1::2], strict=True)))

    async def push(
        self,
        record: SessionRecord,
        segment: Segment | None,
        audio: AudioChunk | None,
        seen: HighWater = UNSEEN,
    ) -> None:
        if audio is not None or segment is not None:
            self._expect_room(record.session_id)
        pool = segment.pool if segment is not None else record.pool
        args: list[ScriptArgument] = [self._limits.session_ttl_s, record.connection_id, record.epoch]
        args += [record.generation, *seen]
        stored = self._audio_args(audio)
        taken = audio if stored.entry else None
        args += [*_segment_args(segment, taken, self._limits.audio_codec), self._limits.max_stream_length]
        args += [*stored, *progress(record)]
        script_keys = [*session_keys(record.session_id), keys.segments(pool)]
        try:
            with redis_errors("pushing a segment"):
                said = await self._run(PUSH, record.session_id, script_keys, args)
        except BusUnavailable:
            self._metrics.refused.labels("unavailable").inc()
            raise
        refusal = _refusal(said, pool)
        if refusal is not None:
            self._metrics.refused.labels(said.decode()).inc()
            try:
                raise refusal
            finally:
                # This frame, with the audio, is in its traceback: the two would wait for the collector.
                del refusal

    async def settle(self, result: SegmentResult) -> CommitOutcome:
        script_keys, args = commit_call(result, self._limits)
        with redis_errors("settling a segment"):
            committed, offset = await self._run(COMMIT, result.session_id, script_keys, args)
        return CommitOutcome(bool(committed), int(offset))

    async def results_after(
        self, session_id: SessionId, epoch: Epoch, after: int, seen: HighWater = UNSEEN
    ) -> ResultPage:
        client = self._shard(session_id).commands
        with redis_errors("reading results"):
            async with client.pipeline(transaction=True) as pipe:
                queue_command(
                    pipe, "HMGET", keys.session(session_id), "epoch", "top", "safe_sample", "next_seq"
                )
                queue_command(pipe, "XRANGE", keys.session_results(session_id), f"({max(0, after)}-0", "+")
                (stored_epoch, *numbers), entries = await execute(pipe)
        current, stored = Epoch((stored_epoch or b"").decode()), HighWater(*(int(n or 0) for n in numbers))
        if current != epoch:
            return ResultPage(current, stored.top, (), complete=False)
        logged = tuple(result for entry in entries if (result := _logged(entry)) is not None)
        offsets = [result.offset for result in logged]
        proved = after <= stored.top and offsets == list(range(after + 1, stored.top + 1))
        behind = any(now < then for now, then in zip(stored, seen, strict=True))
        return ResultPage(current, stored.top, logged, complete=proved and not behind)

    async def audio_from(self, session_id: SessionId, sample: int) -> tuple[AudioChunk, ...]:
        client, first = self._shard(session_id).commands, max(0, sample)
        entries: list[tuple[bytes, dict[bytes, bytes]]] = []
        after = f"({first}-0"
        with redis_errors("reading stored audio"):
            while page := await command(
                client, "XRANGE", keys.session_audio(session_id), after, "+", "COUNT", _READ_AT_ONCE
            ):
                entries += page
                after = f"({page[-1][0].decode()}"
        # A long session is more than 100 MB, and FLAC has to be decoded: beside the loop.
        return await asyncio.to_thread(_joined, entries, first)

    async def close(self, session_id: SessionId, connection_id: ConnectionId, keep_s: int = 0) -> None:
        with redis_errors("closing a session"):
            await self._run(CLOSE, session_id, session_keys(session_id), [connection_id, keep_s])

    async def delete(self, session_id: SessionId, tenant: str) -> Deleted | None:
        takeover = codec.encode_takeover(Takeover(session_id=session_id, by=NOBODY))
        args: list[ScriptArgument] = [tenant, takeover, _DELETED_MARK_S]
        with redis_errors("deleting a session"):
            found = await self._run(DELETE, session_id, session_keys(session_id), args)
        return None if found is None else Deleted(Epoch(found[0].decode()), ConnectionId(found[1].decode()))

    async def ping(self) -> int:
        return await self._connections.ping()

    async def _create(self, record: SessionRecord, *, replace: bool) -> bytes:
        takeover = Takeover(session_id=record.session_id, by=record.connection_id)
        args: list[ScriptArgument] = [
            self._limits.session_ttl_s,
            record.connection_id,
            record.generation,
            record.epoch,
            codec.encode_takeover(takeover),
            int(replace),
            *to_fields(record),
        ]
        with redis_errors("opening a session"):
            said: bytes = await self._run(OPEN, record.session_id, session_keys(record.session_id), args)
        return said

    async def _run(
        self,
        script: LuaScript,
        session_id: SessionId,
        script_keys: Sequence[str],
        args: Sequence[ScriptArgument],
    ) -> Any:
        return await self._scripts[shard_of(session_id, len(self._scripts))].run(script, script_keys, args)

    def _expect_room(self, session_id: SessionId) -> None:
        try:
            self._expect_audio_room(shard_of(session_id, len(self._connections)))
        except QueueFull:
            self._metrics.refused.labels("storage_full").inc()
            raise

    def _shard(self, session_id: SessionId) -> Shard:
        return self._connections.shards[shard_of(session_id, len(self._connections))]

    def _audio_args(self, audio: AudioChunk | None) -> _AudioArguments:
        limits = self._limits
        if audio is None or not audio.pcm or limits.store_audio == "off":
            return _AudioArguments()
        entry, end = stored_audio.pack(audio, limits.audio_codec), stored_audio.end_sample(audio)
        if limits.store_audio == "tail":
            keep_from = max(0, end - int(limits.tail_audio_s * SAMPLE_RATE))
            return _AudioArguments(entry, audio.start_sample, end, keep_from=keep_from)
        return _AudioArguments(entry, audio.start_sample, end, limits.max_audio_bytes)


def _segment_args(
    segment: Segment | None, stored: AudioChunk | None, stored_as: AudioCodec
) -> list[ScriptArgument]:
    """Envelope, seq, overlap, and whether the stored entry is the rest of the segment's audio."""
    if segment is None:
        return [b"", 0, b"", 0]
    sent = segment_entries.pushed(segment, stored, stored_as)
    return [sent.envelope, segment.seq, sent.overlap, int(sent.split)]


def _refusal(said: bytes, pool: PoolName) -> RattilError | None:
    """What the push script said, as an error; None for ok."""
    if said == b"lost":
        return StateLost("the session is not in Redis as this connection left it: go on under a new epoch")
    if said == b"fenced":
        return _fenced()
    if said == b"full":
        return QueueFull(f"the segment stream of pool {pool} is full: keep the segment, push it later")
    return None


def _fenced() -> Fenced:
    return Fenced("a newer connection owns this session: stop writing")


def _joined(entries: Sequence[tuple[bytes, dict[bytes, bytes]]], sample: int) -> tuple[AudioChunk, ...]:
    chunks = (
        AudioChunk(int(fields[b"s"]), stored_audio.unpack(fields[b"d"])) for _entry_id, fields in entries
    )
    return stored_audio.join(chunks, sample)


def _logged(entry: tuple[bytes, dict[bytes, Any]]) -> LoggedResult | None:
    """None for an entry of another version: a hole, which makes the page incomplete."""
    entry_id, fields = entry
    try:
        result = codec.decode_result(fields[b"r"])
    except (BadRequest, KeyError):
        return None
    return LoggedResult(offset=int(entry_id.partition(b"-")[0]), result=result)
