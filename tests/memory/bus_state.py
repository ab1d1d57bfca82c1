"""What the in-memory bus holds: sessions, one segment stream per shard, live channels."""

from __future__ import annotations

import asyncio
import copy
from collections import OrderedDict
from dataclasses import dataclass, field

from shared.bus.limits import BusLimits
from shared.bus.ports import AudioChunk, CommitOutcome, ResultSink, SessionRecord
from shared.bus.sharding import shard_of
from shared.clock import Clock, SystemClock
from shared.errors import BusUnavailable
from shared.ids import ConnectionId, PoolName, SessionId
from shared.protocol.segments import LoggedResult, Segment, SegmentResult, Takeover


@dataclass(slots=True)
class StoredSession:
    """One session's keys."""

    record: SessionRecord
    expires_s: float
    audio: list[AudioChunk] = field(default_factory=list)
    results: list[LoggedResult] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    top: int = 0
    keep_s: int | None = None


@dataclass(slots=True)
class StoredSegment:
    """A segment in a stream: whose it is (`consumer` None: not delivered yet) and since when."""

    segment: Segment
    added_s: float
    consumer: str | None = None
    delivered_s: float = 0.0
    deliveries: int = 0


Stream = OrderedDict[str, StoredSegment]


class MemoryBus:
    """The state that the store, the feed and the queues of one test or process share.

    `cut` and `mend` stand for an unreachable Redis, `wipe` for one that lost its data, `interrupt`
    for a feed that had to reconnect.
    """

    def __init__(self, clock: Clock | None = None, limits: BusLimits | None = None, shards: int = 1) -> None:
        self.clock = clock or SystemClock()
        self.limits = limits or BusLimits()
        self.shards = shards
        self.sessions: dict[SessionId, StoredSession] = {}
        self.deleted: dict[SessionId, int] = {}
        self.streams: dict[tuple[PoolName, int], Stream] = {}
        self.sinks: dict[ConnectionId, ResultSink] = {}
        self.dead: list[dict[str, str | int]] = []
        self.arrivals = asyncio.Condition()
        self.readers_waiting = 0
        self._down: set[int] = set()
        self._next_entry = 0

    def cut(self, shard: int | None = None) -> None:
        """Make one shard, or all, unreachable."""
        self._down |= {shard} if shard is not None else set(range(self.shards))

    def mend(self) -> None:
        self._down.clear()

    def wipe(self) -> None:
        """Forget everything, as a Redis without persistence does when it restarts."""
        self.sessions.clear()
        self.deleted.clear()
        self.streams.clear()
        self.dead.clear()
        self.interrupt()

    def save(self) -> dict[SessionId, StoredSession]:
        """What is stored now, for `roll_back`."""
        return copy.deepcopy(self.sessions)

    def roll_back(self, saved: dict[SessionId, StoredSession]) -> None:
        """Come back as it was, as a Redis does from an old snapshot."""
        self.sessions = copy.deepcopy(saved)
        self.interrupt()

    def interrupt(self) -> None:
        """What every sink sees after the feed had to reconnect."""
        for sink in tuple(self.sinks.values()):
            sink.on_gap()

    def check(self, shard: int) -> None:
        """Raise `BusUnavailable` while the shard is cut off."""
        if shard in self._down:
            raise BusUnavailable(f"memory bus: shard {shard} is cut off")

    def is_up(self, shard: int) -> bool:
        return shard not in self._down

    def shard(self, session_id: SessionId) -> int:
        return shard_of(session_id, self.shards)

    def session(self, session_id: SessionId) -> StoredSession | None:
        """The live session; one whose time is over is forgotten here."""
        stored = self.sessions.get(session_id)
        if stored is not None and stored.expires_s <= self.clock.monotonic():
            del self.sessions[session_id]
            return None
        return stored

    def expiry(self, keep_s: int | None = None) -> float:
        """The end of a life that is renewed now, s on the clock."""
        return self.clock.monotonic() + (self.limits.session_ttl_s if keep_s is None else keep_s)

    def now_us(self) -> int:
        """The store's own clock, µs."""
        return int(self.clock.monotonic() * 1_000_000)

    def stream(self, pool: PoolName, shard: int) -> Stream:
        return self.streams.setdefault((pool, shard), OrderedDict())

    def new_entry_id(self) -> str:
        self._next_entry += 1
        return f"{self._next_entry}-0"

    def log_outcome(self, result: SegmentResult) -> CommitOutcome:
        """Append and publish once per (session, seq), as the commit script does."""
        stored = self.session(result.session_id)
        if stored is None or stored.record.epoch != result.epoch:
            return CommitOutcome(False, 0)
        first = stored.offsets.get(result.seq)
        if first is not None:
            return CommitOutcome(False, first)
        stored.top += 1
        stored.offsets[result.seq] = stored.top
        logged = LoggedResult(stored.top, result)
        stored.results.append(logged)
        del stored.results[: max(0, len(stored.results) - self.limits.max_results)]
        stored.expires_s = self.expiry(stored.keep_s)
        self.deliver(stored.record.connection_id, logged)
        return CommitOutcome(True, stored.top)

    def deliver(self, connection_id: ConnectionId, logged: LoggedResult) -> None:
        """Through the loop, not from inside the commit: a sink sees it later, as with Redis."""

        def arrive() -> None:
            sink = self.sinks.get(connection_id)
            if sink is not None:
                sink.on_result(logged)

        asyncio.get_running_loop().call_soon(arrive)

    def notify_takeover(self, former: ConnectionId, session_id: SessionId, by: ConnectionId) -> None:
        def arrive() -> None:
            sink = self.sinks.get(former)
            if sink is not None:
                sink.on_takeover(Takeover(session_id=session_id, by=by))

        asyncio.get_running_loop().call_soon(arrive)
