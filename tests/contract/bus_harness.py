"""The bus under test, in memory or on Redis, with the faults that both can be given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis.asyncio import Redis

from shared.bus import keys
from shared.bus.limits import BusLimits
from shared.bus.ports import Claim, ResultFeed, SessionRecord, SessionStore, WorkQueue
from shared.bus.redis_connections import RedisConnections, command
from shared.bus.redis_feed import RedisResultFeed
from shared.bus.redis_queue import RedisWorkQueue
from shared.bus.redis_sessions import RedisSessionStore
from shared.bus.sharding import shard_of
from shared.ids import ConnectionId, Epoch, PoolName, SessionId, TraceId, WorkerId
from shared.protocol.segments import LoggedResult, Segment, SegmentResult, Takeover
from tests.memory.bus import MemoryResultFeed, MemorySessionStore
from tests.memory.bus_state import MemoryBus, StoredSession
from tests.memory.work_queue import MemoryWorkQueue

POOL = PoolName("default")
SHARDS = 2
WAIT_S = 5.0


class Bus(Protocol):
    limits: BusLimits

    def store(self) -> SessionStore: ...
    def feed(self) -> ResultFeed: ...
    def queue(self, worker: str = "w1") -> WorkQueue: ...
    async def break_feeds(self) -> None: ...
    async def wipe(self) -> None: ...
    async def readers_waiting(self) -> int:
        """Claims that wait for work at this moment."""
        ...

    async def save(self) -> object: ...
    async def roll_back(self, saved: Any) -> None: ...
    async def dead(self) -> list[dict[str, str]]: ...
    async def close(self) -> None: ...


class MemoryHarness:
    def __init__(self, limits: BusLimits) -> None:
        self.limits = limits
        self.bus = MemoryBus(limits=limits, shards=SHARDS)

    def store(self) -> SessionStore:
        return MemorySessionStore(self.bus)

    def feed(self) -> ResultFeed:
        return MemoryResultFeed(self.bus)

    def queue(self, worker: str = "w1") -> WorkQueue:
        return MemoryWorkQueue(self.bus, POOL, WorkerId(worker))

    async def break_feeds(self) -> None:
        self.bus.interrupt()

    async def wipe(self) -> None:
        self.bus.wipe()

    async def readers_waiting(self) -> int:
        return self.bus.readers_waiting

    async def save(self) -> dict[SessionId, StoredSession]:
        return self.bus.save()

    async def roll_back(self, saved: dict[SessionId, StoredSession]) -> None:
        self.bus.roll_back(saved)

    async def dead(self) -> list[dict[str, str]]:
        return [{name: str(value) for name, value in note.items()} for note in self.bus.dead]

    async def close(self) -> None:
        return None


class RedisHarness:
    def __init__(self, limits: BusLimits, redis_url: str) -> None:
        self.limits = limits
        self.connections = RedisConnections(redis_url)
        self._feeds: list[RedisResultFeed] = []

    @property
    def clients(self) -> list[Redis]:
        return [shard.commands for shard in self.connections.shards]

    def store(self) -> SessionStore:
        return RedisSessionStore(self.connections, self.limits)

    def feed(self) -> ResultFeed:
        feed = RedisResultFeed(self.connections)
        self._feeds.append(feed)
        return feed

    def queue(self, worker: str = "w1") -> WorkQueue:
        return RedisWorkQueue(self.connections, POOL, WorkerId(worker), self.limits)

    async def break_feeds(self) -> None:
        for client in self.clients:
            await command(client, "CLIENT KILL", "TYPE", "pubsub")

    async def wipe(self) -> None:
        for client in self.clients:
            await command(client, "FLUSHALL")

    async def readers_waiting(self) -> int:
        return sum([int((await client.info("clients"))["blocked_clients"]) for client in self.clients])

    async def save(self) -> list[dict[bytes, tuple[int, bytes]]]:
        """Every key of every shard, with its life in ms."""
        saved = []
        for client in self.clients:
            names = await command(client, "KEYS", "*")
            saved.append(
                {
                    name: (max(0, await command(client, "PTTL", name)), await command(client, "DUMP", name))
                    for name in names
                }
            )
        return saved

    async def roll_back(self, saved: list[dict[bytes, tuple[int, bytes]]]) -> None:
        """Come back as it was, as after a crash with an old snapshot."""
        await self.wipe()
        for client, kept in zip(self.clients, saved, strict=True):
            for name, (life_ms, value) in kept.items():
                await command(client, "RESTORE", name, life_ms, value)

    async def dead(self) -> list[dict[str, str]]:
        notes: list[dict[str, str]] = []
        for client in self.clients:
            for _entry_id, fields in await command(client, "XRANGE", keys.DEAD, "-", "+"):
                notes.append({name.decode(): value.decode() for name, value in fields.items()})
        return notes

    async def close(self) -> None:
        for feed in self._feeds:
            await feed.close()
        await self.connections.close()


@dataclass
class RecordingSink:
    """What a connection would have seen; `until` waits for it."""

    results: list[LoggedResult] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)
    gaps: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_result(self, logged: LoggedResult) -> None:
        self.results.append(logged)
        self._changed.set()

    def on_takeover(self, takeover: Takeover) -> None:
        self.takeovers.append(takeover)
        self._changed.set()

    def on_gap(self) -> None:
        self.gaps += 1
        self._changed.set()

    async def until(self, seen: Callable[[RecordingSink], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not seen(self):
                self._changed.clear()
                await self._changed.wait()


def session_on(shard: int, name: str = "s") -> SessionId:
    """A session id that lives on the given shard."""
    number = 0
    while shard_of(SessionId(f"{name}-{number:06}"), SHARDS) != shard:
        number += 1
    return SessionId(f"{name}-{number:06}")


def a_record(session: SessionId | None = None, connection: str = "c1", epoch: str = "e1") -> SessionRecord:
    return SessionRecord(
        session_id=session or session_on(0),
        connection_id=ConnectionId(connection),
        epoch=Epoch(epoch),
        protocol="recite",
        subject="1:1-7",
        pool=POOL,
        created_ms=1_700_000_000_000,
        tenant="masjid",
    )


def a_segment(record: SessionRecord, seq: int, audio: bytes = b"\x01\x02" * 8) -> Segment:
    return Segment(
        session_id=record.session_id,
        connection_id=record.connection_id,
        epoch=record.epoch,
        seq=seq,
        start_sample=seq * 8,
        samples=len(audio) // 2,
        audio=audio,
        pool=record.pool,
        trace_id=TraceId(f"t{seq}"),
        created_ms=1,
        deadline_ms=2,
    )


def a_result(segment: Segment, text: str = "", outcome: str = "result") -> SegmentResult:
    return SegmentResult(
        session_id=segment.session_id,
        connection_id=segment.connection_id,
        epoch=segment.epoch,
        seq=segment.seq,
        start_sample=segment.start_sample,
        samples=segment.samples,
        trace_id=segment.trace_id,
        outcome="dropped" if outcome == "dropped" else "result",
        text=text or f"text {segment.seq}",
    )


async def claim_all(queue: WorkQueue, max_items: int = 100) -> list[Claim]:
    """What is there on any shard, without waiting."""
    claims: list[Claim] = []
    for shard in range(queue.shards):
        claims += await queue.claim(shard, max_items, block_ms=0)
    return claims
