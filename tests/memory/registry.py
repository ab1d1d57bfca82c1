"""The registry in one process: for tests, and a readable statement of what the Lua scripts do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from session_router.registry.registry import (
    ORPHANED,
    Census,
    LeasePage,
    LeaseRequest,
    LiveLease,
    NoSlot,
    RefreshOutcome,
    StoredLease,
    WorkerState,
    held_by_another,
    in_another_pool,
    pool_capacities,
)
from shared.clock import Clock
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import HeldLease, Lease, RenewReply, WorkerReport


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
    former: dict[tuple[SessionId, str], float] = field(default_factory=dict)
    """Who held a lease once, until when that is remembered (s)."""
    seen_s: float | None = None
    paused_until_s: float = 0.0


class MemoryRegistry:
    """`Registry` in plain dictionaries; bounded by the workers' capacity, like the real one.

    Workers speak through `heartbeat` and `leave` instead of through Redis.
    """

    def __init__(self, clock: Clock, heartbeat_ttl_s: float = 6.0, lease_ttl_s: float = 30.0) -> None:
        self._clock = clock
        self._ttl_s = lease_ttl_s
        self._heartbeat_ttl_s = heartbeat_ttl_s
        self._state = _State()

    def heartbeat(self, report: WorkerReport) -> None:
        until = self._clock.monotonic() + self._heartbeat_ttl_s
        self._state.heartbeats[report.worker_id] = _Heartbeat(report, until)

    def leave(self, worker_id: WorkerId) -> None:
        self._state.heartbeats.pop(worker_id, None)

    async def lease(self, request: LeaseRequest) -> Lease | NoSlot:
        session_id = request.session_id
        held = self._state.held.get(session_id)
        if held is not None:
            if not _may_be_taken(held.lease, request):
                raise held_by_another(session_id)
            if request.requested_pool not in (held.lease.pool, held.lease.requested_pool):
                raise in_another_pool(session_id, held.lease.pool, request.requested_pool)
        self._adopt(held.lease.pool if held else request.pool)
        until = self._clock.monotonic() + self._ttl_s
        if held is None:
            worker_id = self._take_slot(request.pool)
            if worker_id is None:
                return NoSlot.FULL if self._serves(request.pool) else NoSlot.NO_WORKER
            lease = StoredLease(worker_id, request.pool, request.requested_pool)
            held = self._state.held[session_id] = _Held(lease, until)
        held.until_s = until
        self._hold(session_id, held, request.holder, request.tenant)
        return held.lease.granted(session_id, self._ttl_s)

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        leases, restored, taken = list[Lease](), list[SessionId](), list[SessionId]()
        for asked in held:
            session_id = asked.session_id
            found = self._state.held.get(session_id)
            if found is not None and not _may_be_renewed(found.lease, asked):
                taken.append(session_id)
                continue
            if found is None and self._is_former(asked) and not asked.takes_over:
                taken.append(session_id)
                continue
            if found is None:
                restored.append(session_id)
                self._state.pools.add(asked.pool)
                lease = StoredLease(
                    self._take_slot(asked.pool) or ORPHANED,
                    asked.pool,
                    asked.requested_pool,
                )
                found = self._state.held[session_id] = _Held(lease, 0.0)
            found.until_s = self._clock.monotonic() + self._ttl_s
            self._hold(session_id, found, asked.holder, asked.tenant)
            leases.append(found.lease.granted(session_id, self._ttl_s))
        return RenewReply(tuple(leases), tuple(restored), tuple(taken))

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> bool:
        held = self._state.held.get(session_id)
        if held is None or held.lease.holder != holder:
            return False
        self._state.former[session_id, holder] = self._clock.monotonic() + keep_s + self._ttl_s
        if keep_s:
            held.lease = msgspec.structs.replace(held.lease, parked=True)
            held.until_s = self._clock.monotonic() + keep_s
        else:
            self._forget(session_id)
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
        return RefreshOutcome(dead, left, moved, orphaned, adopted, expired=self._expire())

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

    def _hold(self, session_id: SessionId, held: _Held, holder: str, tenant: str) -> None:
        if held.lease.holder not in ("", holder):
            self._state.former[session_id, held.lease.holder] = self._clock.monotonic() + self._ttl_s
        self._state.former.pop((session_id, holder), None)
        held.lease = msgspec.structs.replace(held.lease, holder=holder, tenant=tenant, parked=False)

    def _is_former(self, asked: HeldLease) -> bool:
        return self._state.former.get((asked.session_id, asked.holder), 0.0) > self._clock.monotonic()

    def _forget(self, session_id: SessionId) -> None:
        lease = self._state.held.pop(session_id).lease
        if lease.worker_id in self._state.slots:
            self._state.slots[lease.worker_id] += 1
            self._adopt(lease.pool)

    def _expire(self) -> int:
        now, seen_s = self._clock.monotonic(), self._state.seen_s
        if seen_s is not None and now - seen_s > self._ttl_s / 3:
            self._state.paused_until_s = now + self._ttl_s
        self._state.seen_s = now
        if now < self._state.paused_until_s:
            return 0
        expired = [name for name, held in self._state.held.items() if held.until_s <= now]
        for name in expired:
            self._forget(name)
        return len(expired)

    def _serves(self, pool: PoolName) -> bool:
        live = self._live()
        return any(
            name in live and self._state.known.get(name) == pool and live[name].status != "draining"
            for name in self._state.slots
        )

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
            parked=held.lease.parked,
            tenant=held.lease.tenant or "",
            expires_in_ms=int((held.until_s - self._clock.monotonic()) * 1000),
        )


def _may_be_taken(lease: StoredLease, request: LeaseRequest) -> bool:
    """Whether the holder of `request` may have this lease from now on."""
    free = lease.parked or request.takes_over or lease.holder == request.holder
    return free and lease.tenant in (None, request.tenant)


def _may_be_renewed(lease: StoredLease, held: HeldLease) -> bool:
    """Whether it is this holder's, or becomes it."""
    own = held.takes_over or (lease.holder == held.holder and not lease.parked)
    return own and lease.tenant in (None, held.tenant)
