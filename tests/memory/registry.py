"""The registry in one process: for tests, and a readable statement of what the Lua scripts do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from session_router.registry.registry import (
    ORPHANED,
    Census,
    LeaseConflict,
    LeasePage,
    LiveLease,
    RefreshOutcome,
    StoredLease,
    WorkerState,
    pool_capacities,
)
from shared.clock import Clock
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import Lease, RenewReply, WorkerReport


@dataclass
class _Heartbeat:
    report: WorkerReport
    until_s: float


@dataclass
class _Held:
    lease: StoredLease
    until_s: float


@dataclass
class _State:
    heartbeats: dict[WorkerId, _Heartbeat] = field(default_factory=dict)
    known: dict[WorkerId, PoolName] = field(default_factory=dict)
    slots: dict[WorkerId, int] = field(default_factory=dict)
    held: dict[SessionId, _Held] = field(default_factory=dict)
    pools: set[PoolName] = field(default_factory=set)


class MemoryRegistry:
    """`Registry` in plain dictionaries; bounded by the workers' capacity, like the real one.

    Workers speak through `heartbeat` and `leave` instead of through Redis.
    """

    def __init__(self, clock: Clock, heartbeat_ttl_s: float = 6.0) -> None:
        self._clock = clock
        self._heartbeat_ttl_s = heartbeat_ttl_s
        self._state = _State()

    def heartbeat(self, report: WorkerReport) -> None:
        until = self._clock.monotonic() + self._heartbeat_ttl_s
        self._state.heartbeats[report.worker_id] = _Heartbeat(report, until)

    def leave(self, worker_id: WorkerId) -> None:
        self._state.heartbeats.pop(worker_id, None)

    async def lease(
        self,
        session_id: SessionId,
        pool: PoolName,
        requested_pool: PoolName,
        ttl_s: float,
        holder: str = "",
    ) -> Lease | None:
        held = self._state.held.get(session_id)
        if held and requested_pool not in (held.lease.pool, held.lease.requested_pool):
            raise LeaseConflict(
                f"session {session_id} holds a lease in pool {held.lease.pool!r}; "
                f"release it before asking for pool {requested_pool!r}"
            )
        self._adopt(held.lease.pool if held else pool)
        until = self._clock.monotonic() + ttl_s
        if held is None:
            worker_id = self._take_slot(pool)
            if worker_id is None:
                return None
            held = self._state.held[session_id] = _Held(StoredLease(worker_id, pool, requested_pool), until)
        held.until_s = until
        held.lease = msgspec.structs.replace(held.lease, holder=holder)
        return held.lease.granted(session_id, ttl_s)

    async def renew(self, session_ids: Sequence[SessionId], ttl_s: float) -> RenewReply:
        found = [name for name in session_ids if name in self._state.held]
        for name in found:
            self._state.held[name].until_s = self._clock.monotonic() + ttl_s
        return RenewReply(
            leases=tuple(self._state.held[name].lease.granted(name, ttl_s) for name in found),
            lost=tuple(name for name in session_ids if name not in self._state.held),
        )

    async def release(self, session_id: SessionId, holder: str | None = None) -> bool:
        held = self._state.held.get(session_id)
        if held is None or not held.lease.may_be_released_by(holder):
            return False
        del self._state.held[session_id]
        if held.lease.worker_id in self._state.slots:
            self._state.slots[held.lease.worker_id] += 1
            self._adopt(held.lease.pool)
        return True

    async def refresh(self, *, force: bool) -> RefreshOutcome:
        live = self._live()
        gone = [worker for worker in self._state.known if worker not in live]
        elsewhere = [name for name, report in live.items() if self._pool_of(name, report) != report.pool]
        dead = tuple(worker for worker in gone if worker in self._state.heartbeats)
        for worker in gone:
            self._state.heartbeats.pop(worker, None)
            del self._state.known[worker]
            self._state.slots.pop(worker, None)
        draining = self._sync_slots(live, elsewhere)
        moved, orphaned = self._move([*gone, *elsewhere, *draining], [*gone, *elsewhere])
        adopted = sum(self._adopt(pool) for pool in sorted(self._state.pools))
        left = tuple(worker for worker in gone if worker not in dead)
        return RefreshOutcome(dead, left, moved, orphaned, adopted, expired=await self._expire())

    async def census(self) -> Census:
        workers = tuple(
            WorkerState(report, len(self._sessions_of(worker_id)))
            for worker_id, report in sorted(self._live().items())
        )
        orphans = {pool: len(self._orphans(pool)) for pool in self._state.pools}
        return Census(workers, pool_capacities(workers, orphans))

    async def leases(self, cursor: str, limit: int) -> LeasePage:
        names = sorted(self._state.held)
        start = int(cursor or "0")
        page = tuple(self._live_lease(name) for name in names[start : start + limit])
        return LeasePage(page, str(start + limit) if start + limit < len(names) else "")

    async def ping(self) -> None:
        return None

    def _live(self) -> dict[WorkerId, WorkerReport]:
        now = self._clock.monotonic()
        return {name: beat.report for name, beat in self._state.heartbeats.items() if beat.until_s > now}

    def _pool_of(self, worker_id: WorkerId, report: WorkerReport) -> PoolName:
        return self._state.known.get(worker_id, report.pool)

    def _sync_slots(
        self, live: dict[WorkerId, WorkerReport], changed_pool: Sequence[WorkerId]
    ) -> list[WorkerId]:
        """Count every live worker's free slots; returns those that are draining."""
        draining = []
        for worker_id, report in live.items():
            self._state.known[worker_id] = report.pool
            self._state.pools.add(report.pool)
            if report.status == "draining":
                self._state.slots.pop(worker_id, None)
                draining.append(worker_id)
            else:
                taken = 0 if worker_id in changed_pool else len(self._sessions_of(worker_id))
                self._state.slots[worker_id] = report.capacity - taken
        return draining

    def _move(self, leaving: Sequence[WorkerId], gone: Sequence[WorkerId]) -> tuple[int, int]:
        moved = orphaned = 0
        for worker_id in leaving:
            for session_id in self._sessions_of(worker_id):
                held = self._state.held[session_id]
                taker = self._take_slot(held.lease.pool)
                if taker is not None:
                    moved += 1
                elif worker_id in gone:
                    taker = ORPHANED
                    orphaned += 1
                else:
                    break
                held.lease = msgspec.structs.replace(held.lease, worker_id=taker)
        return moved, orphaned

    async def _expire(self) -> int:
        now = self._clock.monotonic()
        expired = [name for name, held in self._state.held.items() if held.until_s <= now]
        for name in expired:
            await self.release(name)
        return len(expired)

    def _take_slot(self, pool: PoolName) -> WorkerId | None:
        live = self._live()
        free = [
            (slots, worker_id)
            for worker_id, slots in self._state.slots.items()
            if slots > 0 and worker_id in live and self._state.known.get(worker_id) == pool
        ]
        if not free:
            return None
        _, worker_id = max(free)
        self._state.slots[worker_id] -= 1
        return worker_id

    def _adopt(self, pool: PoolName) -> int:
        adopted = 0
        for session_id in self._orphans(pool):
            worker_id = self._take_slot(pool)
            if worker_id is None:
                break
            held = self._state.held[session_id]
            held.lease = msgspec.structs.replace(held.lease, worker_id=worker_id)
            adopted += 1
        return adopted

    def _sessions_of(self, worker_id: WorkerId) -> list[SessionId]:
        return [name for name, held in self._state.held.items() if held.lease.worker_id == worker_id]

    def _orphans(self, pool: PoolName) -> list[SessionId]:
        return [name for name in self._sessions_of(ORPHANED) if self._state.held[name].lease.pool == pool]

    def _live_lease(self, name: SessionId) -> LiveLease:
        held = self._state.held[name]
        return LiveLease(
            session_id=name,
            pool=held.lease.pool,
            worker_id=held.lease.worker_id,
            degraded=held.lease.pool != held.lease.requested_pool,
            expires_in_ms=int((held.until_s - self._clock.monotonic()) * 1000),
        )
