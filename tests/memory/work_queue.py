"""The `WorkQueue` inside one process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.bus.dead_letters import describe
from shared.bus.ports import Claim, ClaimState, CommitOutcome
from shared.errors import BusUnavailable
from shared.ids import PoolName, WorkerId
from shared.protocol.segments import SegmentResult
from tests.memory.bus_state import MemoryBus, StoredSegment, Stream


class MemoryWorkQueue:
    """See `shared.bus.ports.WorkQueue`. Two of them with one worker id are one consumer that restarted."""

    def __init__(self, bus: MemoryBus, pool: PoolName, worker_id: WorkerId) -> None:
        self._bus = bus
        self._pool = pool
        self._consumer = str(worker_id)
        self._held: set[str] = set()

    @property
    def shards(self) -> int:
        return self._bus.shards

    async def start(self) -> None:
        self._streams_up()

    async def claim(self, shard: int, max_items: int, block_ms: int) -> list[Claim]:
        self._bus.check(shard)
        found = self._take(shard, max_items)
        if found or block_ms <= 0:
            return found
        self._bus.readers_waiting += 1
        try:
            async with asyncio.timeout(block_ms / 1000), self._bus.arrivals:
                await self._bus.arrivals.wait_for(lambda: self._has_new(shard))
        except TimeoutError:
            return []
        finally:
            self._bus.readers_waiting -= 1
        self._bus.check(shard)
        return self._take(shard, max_items)

    async def reclaim(self, shard: int, min_idle_ms: int, max_items: int) -> list[Claim]:
        self._bus.check(shard)
        latest_s = self._bus.clock.monotonic() - min_idle_ms / 1000
        idle = [
            entry_id
            for entry_id, entry in self._stream(shard).items()
            if entry.consumer is not None and entry.delivered_s <= latest_s and entry_id not in self._held
        ]
        return [self._deliver(shard, entry_id) for entry_id in idle[:max_items]]

    async def commit(self, finished: Sequence[tuple[Claim, SegmentResult]]) -> list[CommitOutcome]:
        away = {claim.shard for claim, _result in finished if not self._bus.is_up(claim.shard)}
        outcomes: list[CommitOutcome] = []
        for claim, result in finished:
            if claim.shard in away:
                continue
            outcomes.append(self._bus.log_outcome(result))
            self._stream(claim.shard).pop(claim.entry_id, None)
            self._held.discard(claim.entry_id)
        for shard in away:
            self._bus.check(shard)
        return outcomes

    async def look_up(self, claims: Sequence[Claim]) -> list[ClaimState]:
        states = []
        for claim in claims:
            self._bus.check(claim.shard)
            segment, entry = claim.segment, self._stream(claim.shard).get(claim.entry_id)
            stored = self._bus.session(segment.session_id)
            wanted = (
                stored is not None
                and stored.record.epoch == segment.epoch
                and segment.seq not in stored.offsets
            )
            added_s = self._bus.clock.monotonic() if entry is None else entry.added_s
            states.append(ClaimState(wanted, int((self._bus.clock.monotonic() - added_s) * 1000)))
        return states

    async def bury(self, claim: Claim, reason: str) -> None:
        self._bus.check(claim.shard)
        self._bus.dead.append(describe(claim, reason))
        del self._bus.dead[: max(0, len(self._bus.dead) - self._bus.limits.max_dead)]

    async def refresh(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._bus.check(claim.shard)
            entry = self._stream(claim.shard).get(claim.entry_id)
            if entry is not None and entry.consumer == self._consumer:
                entry.delivered_s = self._bus.clock.monotonic()

    async def depth(self) -> int:
        return sum(len(stream) for stream in self._streams_up())

    async def oldest_age_ms(self) -> int:
        added = [entry.added_s for stream in self._streams_up() for entry in stream.values()]
        return max(0, int((self._bus.clock.monotonic() - min(added)) * 1000)) if added else 0

    async def close(self) -> None:
        self._streams_up()

    def _stream(self, shard: int) -> Stream:
        return self._bus.stream(self._pool, shard)

    def _streams_up(self) -> list[Stream]:
        streams = [self._stream(shard) for shard in range(self._bus.shards) if self._bus.is_up(shard)]
        if not streams:
            raise BusUnavailable("memory bus: every shard is cut off")
        return streams

    def _take(self, shard: int, max_items: int) -> list[Claim]:
        """Own pending entries first (of a consumer of this name that restarted), then new ones."""
        entries = self._stream(shard).items()
        own = [i for i, e in entries if e.consumer == self._consumer and i not in self._held]
        ids = own or [entry_id for entry_id, entry in entries if entry.consumer is None]
        return [self._deliver(shard, entry_id) for entry_id in ids[:max_items]]

    def _has_new(self, shard: int) -> bool:
        return any(entry.consumer is None for entry in self._stream(shard).values())

    def _deliver(self, shard: int, entry_id: str) -> Claim:
        entry: StoredSegment = self._stream(shard)[entry_id]
        entry.consumer = self._consumer
        entry.delivered_s = self._bus.clock.monotonic()
        entry.deliveries += 1
        self._held.add(entry_id)
        return Claim(shard, entry_id, entry.deliveries, entry.segment)
