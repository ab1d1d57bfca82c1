"""What the router knows and changes, as one Protocol; implemented in memory and on Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from shared.errors import RattilError
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import Lease, RenewReply, WorkerReport, WorkerStatus

ORPHANED = WorkerId("")
"""The worker id of a lease whose worker died and whose pool has no free slot for it yet."""


class LeaseConflict(RattilError):
    """The session already holds a lease in another pool than the one asked for."""

    code = "lease_conflict"


class UnknownSession(RattilError):
    """The session holds no lease (any more)."""

    code = "unknown_session"


class UnknownPool(RattilError):
    """No worker has ever reported this pool."""

    code = "unknown_pool"


class StoredLease(msgspec.Struct, frozen=True):
    """A lease as it is kept. `requested_pool` differs from `pool` when admission degraded it."""

    worker_id: WorkerId
    pool: PoolName
    requested_pool: PoolName
    holder: str = ""

    def may_be_released_by(self, holder: str | None) -> bool:
        """Whoever holds it may, and who names no holder (or holds it namelessly)."""
        return holder is None or self.holder in ("", holder)

    def granted(self, session_id: SessionId, ttl_s: float) -> Lease:
        return Lease(
            session_id=session_id,
            pool=self.pool,
            worker_id=self.worker_id,
            ttl_s=ttl_s,
            degraded=self.pool != self.requested_pool,
        )


class LiveLease(msgspec.Struct, frozen=True):
    """A lease as `/v1/sessions` shows it."""

    session_id: SessionId
    pool: PoolName
    worker_id: WorkerId
    degraded: bool
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
    slowest worker, the rates are of all together."""

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

    async def lease(
        self,
        session_id: SessionId,
        pool: PoolName,
        requested_pool: PoolName,
        ttl_s: float,
        holder: str = "",
    ) -> Lease | None:
        """Take a slot of `pool`, or renew the lease the session already has; `holder` holds it now.

        None when the pool has no free slot. Raises `LeaseConflict` if the session holds a lease
        whose pool (granted and asked for) is not `requested_pool`.
        """
        ...

    async def renew(self, session_ids: Sequence[SessionId], ttl_s: float) -> RenewReply: ...

    async def release(self, session_id: SessionId, holder: str | None = None) -> bool:
        """Give the slot back; False if there was no lease (or it is another holder's)."""
        ...

    async def refresh(self, *, force: bool) -> RefreshOutcome:
        """Bring slots in line with the workers' reports, reap dead workers and expired leases.

        Without `force` it does nothing if any router did it within the refresh interval.
        """
        ...

    async def census(self) -> Census: ...

    async def leases(self, cursor: str, limit: int) -> LeasePage:
        """About `limit` leases from `cursor` ("" to begin)."""
        ...

    async def ping(self) -> None:
        """Raise `BusUnavailable` unless the registry answers."""
        ...


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
    )


def _is_serving(status: WorkerStatus) -> bool:
    return status != "draining"
