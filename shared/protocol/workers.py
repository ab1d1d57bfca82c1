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

    `holder` names who asks (a connection). The last to ask holds the lease; a release that names
    another holder changes nothing, so that an old connection cannot give a newer one's slot away.
    """

    session_id: SessionId
    pool: PoolName = PoolName("default")
    tenant: str = ""
    protocol: str = "recite"
    holder: str = ""


class Lease(msgspec.Struct, frozen=True):
    """The router's yes: the pool to push to, and how long the yes holds without renewal."""

    session_id: SessionId
    pool: PoolName
    worker_id: WorkerId
    ttl_s: float
    degraded: bool = False


class RenewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/leases/renew`: every session one gateway holds, once per interval."""

    session_ids: tuple[SessionId, ...]


class RenewReply(msgspec.Struct, frozen=True):
    """`lost` are sessions without a lease (expired, or the registry was wiped): admit them anew."""

    leases: tuple[Lease, ...] = ()
    lost: tuple[SessionId, ...] = ()
