"""What the router knows and changes, as one Protocol; implemented in memory and on Redis."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from shared.errors import Conflict, LeaseHeld, NotFound
from shared.ids import PoolName, SessionId, WorkerId, short_id
from shared.protocol.workers import HeldLease, Lease, RenewReply, WorkerReport, WorkerStatus

ORPHANED = WorkerId("")
"""The worker id of a lease whose worker died and whose pool has no free slot for it yet."""


class LeaseConflict(Conflict):
    """The session already holds a lease in another pool than the one asked for."""

    code = "lease_conflict"


class UnknownPool(NotFound):
    """No worker has ever reported this pool."""

    code = "unknown_pool"


class NoSlot(enum.Enum):
    """Why a pool has no slot for one more session."""

    FULL = "full"
    NO_WORKER = "no_worker"


class LeaseRequest(NamedTuple):
    """One session that wants a slot of `pool`; `requested_pool` is what its client asked for.

    `holder`, `tenant`, `takes_over`: see `AdmitRequest`.
    """

    session_id: SessionId
    pool: PoolName
    requested_pool: PoolName
    holder: str
    tenant: str = ""
    takes_over: bool = False


class StoredLease(msgspec.Struct, frozen=True):
    """A lease as it is kept. `requested_pool` differs from `pool` when admission degraded it.

    `parked`: its holder has left; the slot is kept for whoever goes on with the session.
    `tenant` None: stored by an earlier version.
    """

    worker_id: WorkerId
    pool: PoolName
    requested_pool: PoolName
    holder: str = ""
    tenant: str | None = None
    parked: bool = False

    def granted(self, session_id: SessionId, ttl_s: float) -> Lease:
        return Lease(
            session_id=session_id,
            pool=self.pool,
            worker_id=self.worker_id,
            ttl_s=ttl_s,
            degraded=self.pool != self.requested_pool,
        )


class LiveLease(msgspec.Struct, frozen=True):
    """A lease with what there is to tell about it."""

    session_id: SessionId
    pool: PoolName
    worker_id: WorkerId
    degraded: bool
    parked: bool
    tenant: str
    expires_in_ms: int


class LeasePage(msgspec.Struct, frozen=True):
    """Some of the leases; `cursor` asks for the next page, empty at the end."""

    sessions: tuple[LiveLease, ...]
    cursor: str = ""


class WorkerState(msgspec.Struct, frozen=True):
    """A live worker: its last report, and how many sessions the router has leased to it."""

    report: WorkerReport
    leased: int

    @property
    def free(self) -> int:
        """Slots a new session may take; none while draining."""
        return 0 if self.report.status == "draining" else max(0, self.report.capacity - self.leased)


class PoolCapacity(msgspec.Struct, frozen=True):
    """One pool at a glance. `active` counts leases, orphans included; `latency_p95_ms` is of the
    slowest worker, the rates are of all together; `models` are those of its workers."""

    pool: PoolName
    workers: int = 0
    draining: int = 0
    capacity: int = 0
    active: int = 0
    free: int = 0
    orphans: int = 0
    segments_per_s: float = 0.0
    service_rate: float = 0.0
    latency_p95_ms: float = 0.0
    models: tuple[str, ...] = ()


class Census(msgspec.Struct, frozen=True):
    """All live workers and all pools, read together."""

    workers: tuple[WorkerState, ...] = ()
    pools: tuple[PoolCapacity, ...] = ()


class RefreshOutcome(NamedTuple):
    """What one refresh changed. `skipped` when another router had just done it."""

    dead_workers: tuple[WorkerId, ...] = ()
    left_workers: tuple[WorkerId, ...] = ()
    moved: int = 0
    orphaned: int = 0
    adopted: int = 0
    expired: int = 0
    unreadable: int = 0
    skipped: bool = False


class Registry(Protocol):
    """The state all routers share. Every method is one atomic step (or several that may be repeated),
    so that any number of routers can call any of them at once. Raises `BusUnavailable`."""

    async def lease(self, request: LeaseRequest) -> Lease | NoSlot:
        """Take a slot, or renew the lease the session already has, which is the requester's from then on.

        Raises `LeaseHeld` (and changes nothing) if it is another connection's and may not be taken,
        `LeaseConflict` if it is in another pool (granted and asked for) than `requested_pool`.
        """
        ...

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        """Renew leases of their holders, and make those again that are gone (see `RenewReply`).

        Whoever gave a lease back, or lost it to another, makes it again only with `takes_over`: that renewal
        may have been on its way since before.
        """
        ...

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> bool:
        """Give the slot back, or with `keep_s` keep it that long (s) for whoever goes on with the session.

        False (and nothing changes) if there is no lease or it is another holder's.
        """
        ...

    async def refresh(self, *, force: bool) -> RefreshOutcome:
        """Bring slots in line with the workers' reports, reap dead workers and expired leases.

        Without `force` it does nothing if any router did it within the refresh interval. After a time
        in which no router looked, no lease expires until its holder could renew it.
        """
        ...

    async def census(self) -> Census: ...

    async def leases(self, cursor: str, limit: int) -> LeasePage:
        """About `limit` leases from `cursor` ("" to begin)."""
        ...

    async def ping(self) -> None:
        """Raise `BusUnavailable` unless the registry answers."""
        ...


def held_by_another(session_id: SessionId) -> LeaseHeld:
    return LeaseHeld(f"another connection holds the lease of session {short_id(session_id)}")


def in_another_pool(session_id: SessionId, pool: str, requested: str) -> LeaseConflict:
    return LeaseConflict(
        f"session {short_id(session_id)} holds a lease in pool {pool!r}; "
        f"release it before asking for pool {requested!r}"
    )


def pool_capacities(workers: Sequence[WorkerState], orphans: dict[PoolName, int]) -> tuple[PoolCapacity, ...]:
    """Sum workers up by pool, in the order of names. `orphans` has an entry for every known pool."""
    names = sorted({state.report.pool for state in workers} | set(orphans))
    return tuple(
        _pool_capacity(name, [state for state in workers if state.report.pool == name], orphans.get(name, 0))
        for name in names
    )


def _pool_capacity(pool: PoolName, workers: Sequence[WorkerState], orphans: int) -> PoolCapacity:
    serving = [state for state in workers if _is_serving(state.report.status)]
    return PoolCapacity(
        pool=pool,
        workers=len(serving),
        draining=len(workers) - len(serving),
        capacity=sum(state.report.capacity for state in serving),
        active=sum(state.leased for state in workers) + orphans,
        free=max(0, sum(state.free for state in workers) - orphans),
        orphans=orphans,
        segments_per_s=sum(state.report.segments_per_s for state in serving),
        service_rate=sum(state.report.service_rate for state in serving),
        latency_p95_ms=max((state.report.latency_p95_ms for state in serving), default=0.0),
        models=tuple(sorted({model for state in serving for model in state.report.models})),
    )


def _is_serving(status: WorkerStatus) -> bool:
    return status != "draining"
