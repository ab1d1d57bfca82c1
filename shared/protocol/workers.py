"""Registry messages: what a worker tells the router about itself, and what a lease is."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.ids import PoolName, SessionId, WorkerId

WorkerStatus = Literal["ready", "busy", "draining"]


class WorkerReport(msgspec.Struct, frozen=True):
    """One heartbeat. `capacity` and `active` count live sessions; rates are per second.

    `service_rate`: segments per second it could decode at most; `latency_p95_ms`: from push to
    result over the last seconds, 0 while there are too few segments to tell.
    """

    worker_id: WorkerId
    pool: PoolName
    status: WorkerStatus
    capacity: int
    active: int = 0
    models: tuple[str, ...] = ()
    device: str = "cpu"
    compute_type: str = "int8"
    memory_mb: float = 0.0
    segments_per_s: float = 0.0
    service_rate: float = 0.0
    latency_p95_ms: float = 0.0
    failures: int = 0
    queue_depth: int = 0
    started_ms: int = 0
    version: str = ""
    v: int = 1


class AdmitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/sessions`: may this session start, and where?

    `holder` names who asks (a connection): only the holder of a lease renews it and gives it back.
    `takes_over`: the session store has made this holder the owner of the session, so that a lease
    which another connection still holds becomes its own. Without it such a lease is not touched.
    """

    session_id: SessionId
    holder: str
    pool: PoolName = PoolName("default")
    tenant: str = ""
    protocol: str = "recite"
    takes_over: bool = False


class Lease(msgspec.Struct, frozen=True):
    """The router's yes: the pool to push to, and how long the yes holds without renewal."""

    session_id: SessionId
    pool: PoolName
    worker_id: WorkerId
    ttl_s: float
    degraded: bool = False


class HeldLease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lease as its holder knows it: enough to make it again where it has been lost.

    `pool` is where the session's segments go, `requested_pool` what was asked for. `takes_over`: the
    lease was another holder's at the last renewal, and this one still owns the session.
    """

    session_id: SessionId
    holder: str
    pool: PoolName
    requested_pool: PoolName
    tenant: str = ""
    takes_over: bool = False


class RenewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/leases/renew`: leases that one gateway holds, once per interval."""

    leases: tuple[HeldLease, ...]


class RenewReply(msgspec.Struct, frozen=True):
    """`leases` stand. `restored` of them were gone (expired, or the registry was wiped) and were made
    again, whether or not there was a free slot: a session that lives is never refused. `taken` belong
    to another holder, or were given back; they are not among `leases`."""

    leases: tuple[Lease, ...] = ()
    restored: tuple[SessionId, ...] = ()
    taken: tuple[SessionId, ...] = ()


class ReleaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/leases/release`: the holder gives its lease back.

    `keep_s`: the slot is kept for the session for so long, s, because its client may come back.
    """

    session_id: SessionId
    holder: str
    keep_s: float = 0.0
