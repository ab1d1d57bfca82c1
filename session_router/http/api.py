"""The router's HTTP API. See `docs/architecture.md` for who calls what."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from session_router.admission.admitter import Admitter
from session_router.admission.waiting_room import WaitingRoom
from session_router.http.names import check_holder, check_name, check_pool, check_session_id
from session_router.metrics import RouterMetrics
from session_router.registry.reaper import Reaper
from session_router.registry.registry import LiveLease, Registry, UnknownPool, WorkerState
from session_router.scaling.backlog import BacklogGauge
from session_router.scaling.replicas import ScalingRules, desired_replicas
from session_router.scaling.unserved import UnservedPools
from session_router.settings import RouterSettings
from shared.errors import BadRequest, BusUnavailable, Unavailable, UnknownSession
from shared.ids import PoolName, WorkerId, short_id
from shared.protocol.workers import AdmitRequest, ReleaseRequest, RenewRequest, WorkerReport
from shared.service.http_json import json_response, read_json, whole_number
from shared.service.metrics import negotiated

MAX_REQUEST_BYTES = 4096
BYTES_PER_RENEWAL = 400
"""Five names of at most 64 bytes, and their keys."""

MAX_PAGE = 1000
MAX_CURSOR = 2**64 - 1
"""Redis's own bound of a scan cursor."""

MAX_KEEP_S = 3600


class WorkerView(WorkerReport, frozen=True, kw_only=True):
    """A worker's report with what the router adds to it."""

    leased: int
    free: int


class WorkersReply(msgspec.Struct):
    workers: tuple[WorkerView, ...]


class PoolView(msgspec.Struct):
    """One pool: its slots, its backlog, how many workers it should have, and the models of those it has."""

    pool: PoolName
    workers: int
    draining: int
    capacity: int
    active: int
    free: int
    orphans: int
    waiting: int
    utilisation: float
    segments_per_s: float
    service_rate: float
    latency_p95_ms: float
    queue_depth: int
    oldest_age_ms: int
    desired_replicas: int
    models: tuple[str, ...] = ()


class CapacityReply(msgspec.Struct):
    pools: tuple[PoolView, ...]


class SessionView(msgspec.Struct):
    """A lease as people may see it. `session` is `short_id` of the session's id, as in every log;
    `kept`: its client has left, and the slot waits for it."""

    session: str
    pool: PoolName
    worker_id: WorkerId
    tenant: str
    degraded: bool
    kept: bool
    expires_in_ms: int


class SessionsReply(msgspec.Struct):
    sessions: tuple[SessionView, ...]
    cursor: str


class Health(msgspec.Struct):
    status: str


@dataclass
class RouterApi:
    """The handlers; all state is in the registry, so that every router answers alike."""

    settings: RouterSettings
    registry: Registry
    backlog: BacklogGauge
    admitter: Admitter
    reaper: Reaper
    room: WaitingRoom
    metrics: RouterMetrics
    unserved: UnservedPools
    draining: bool = False
    _shown_pools: set[PoolName] = field(default_factory=set)

    def routes(self) -> list[Route]:
        return [
            Route("/v1/workers", self.list_workers),
            Route("/v1/capacity", self.capacity),
            Route("/v1/sessions", self.list_sessions),
            Route("/v1/sessions", self.admit, methods=["POST"]),
            Route("/v1/leases/renew", self.renew, methods=["POST"]),
            Route("/v1/leases/release", self.release, methods=["POST"]),
            Route("/health", self.health),
            Route("/ready", self.ready),
            Route("/metrics", self.show_metrics),
        ]

    async def admit(self, request: Request) -> Response:
        wanted = await read_json(request, AdmitRequest, MAX_REQUEST_BYTES)
        check_session_id(wanted.session_id)
        check_pool(wanted.pool)
        check_name(wanted.tenant, "tenant")
        check_name(wanted.protocol, "protocol")
        check_holder(wanted.holder)
        if self.draining:
            raise Unavailable("this session router is draining; ask another one")
        lease = await self.admitter.admit(wanted)
        if not wanted.takes_over and await request.is_disconnected():
            # Nobody heard the yes; without this the slot would idle until the lease expires.
            await self.admitter.release(wanted.session_id, wanted.holder)
        return json_response(lease)

    async def release(self, request: Request) -> Response:
        wanted = await read_json(request, ReleaseRequest, MAX_REQUEST_BYTES)
        check_session_id(wanted.session_id)
        check_holder(wanted.holder)
        if not 0 <= wanted.keep_s <= MAX_KEEP_S:
            raise BadRequest(f"keep_s must be a number of seconds from 0 to {MAX_KEEP_S}")
        if not await self.admitter.release(wanted.session_id, wanted.holder, wanted.keep_s):
            raise UnknownSession(f"session {short_id(wanted.session_id)} has no lease of this holder")
        return Response(status_code=204)

    async def renew(self, request: Request) -> Response:
        most = self.settings.max_renewals
        wanted = await read_json(request, RenewRequest, 64 + most * BYTES_PER_RENEWAL)
        if len(wanted.leases) > most:
            raise BadRequest(f"at most {most} leases can be renewed in one call; send several calls")
        for held in wanted.leases:
            check_session_id(held.session_id)
            check_holder(held.holder)
            check_pool(held.pool)
            check_pool(held.requested_pool)
            check_name(held.tenant, "tenant")
        reply = await self.registry.renew(wanted.leases)
        self.metrics.renewals.labels("renewed").inc(len(reply.leases) - len(reply.restored))
        self.metrics.renewals.labels("restored").inc(len(reply.restored))
        self.metrics.renewals.labels("taken").inc(len(reply.taken))
        return json_response(reply)

    async def list_sessions(self, request: Request) -> Response:
        limit = whole_number(request.query_params.get("limit", "100"), "limit", 1, MAX_PAGE)
        cursor = request.query_params.get("cursor", "")
        if cursor:
            cursor = str(whole_number(cursor, "cursor", 0, MAX_CURSOR))
        page = await self.registry.leases(cursor, limit)
        return json_response(SessionsReply(tuple(_shown(lease) for lease in page.sessions), page.cursor))

    async def list_workers(self, request: Request) -> Response:
        pool = request.query_params.get("pool")
        census = await self.registry.census()
        return json_response(
            WorkersReply(
                tuple(_view(state) for state in census.workers if pool is None or state.report.pool == pool)
            )
        )

    async def capacity(self, request: Request) -> Response:
        pool = request.query_params.get("pool")
        views = await self._pool_views()
        if pool is not None:
            views = tuple(view for view in views if view.pool == pool)
            if not views:
                raise UnknownPool(f"no worker has ever reported pool {check_pool(pool)!r}")
        return json_response(CapacityReply(views))

    async def health(self, _request: Request) -> Response:
        return json_response(Health("alive"))

    async def ready(self, _request: Request) -> Response:
        if self.draining:
            raise Unavailable("this session router is draining")
        await self.registry.ping()
        if not self.reaper.healthy:
            raise Unavailable("the last refresh of the worker registry failed")
        return json_response(Health("ready"))

    async def show_metrics(self, request: Request) -> Response:
        try:
            await self._pool_views()
        except BusUnavailable:
            # The counters are still worth showing, and refresh_failures says what is wrong.
            self._forget_pools(set())
        text, content_type = negotiated(self.metrics.registry, request.headers.get("accept", ""))
        return Response(text, media_type=content_type)

    async def _pool_views(self) -> tuple[PoolView, ...]:
        """All pools now; keeps the pool gauges in step."""
        census = await self.registry.census()
        backlogs = await self.backlog.read([pool.pool for pool in census.pools])
        rules: ScalingRules = self.settings.scaling_rules
        views = []
        for pool in census.pools:
            backlog = backlogs[pool.pool]
            waiting = self.room.waiting_for(pool.pool)
            desired = desired_replicas(rules, pool, backlog, waiting, unserved=pool.pool in self.unserved)
            self.metrics.show_pool(pool, backlog, desired)
            views.append(
                PoolView(
                    pool=pool.pool,
                    workers=pool.workers,
                    draining=pool.draining,
                    capacity=pool.capacity,
                    active=pool.active,
                    free=pool.free,
                    orphans=pool.orphans,
                    waiting=waiting,
                    utilisation=round(pool.active / pool.capacity, 3) if pool.capacity else 0.0,
                    segments_per_s=pool.segments_per_s,
                    service_rate=pool.service_rate,
                    latency_p95_ms=pool.latency_p95_ms,
                    queue_depth=backlog.depth,
                    oldest_age_ms=backlog.oldest_age_ms,
                    desired_replicas=desired,
                    models=pool.models,
                )
            )
        self._forget_pools({view.pool for view in views})
        return tuple(views)

    def _forget_pools(self, remaining: set[PoolName]) -> None:
        for gone in self._shown_pools - remaining:
            self.metrics.forget_pool(gone)
        self._shown_pools = remaining


def _view(state: WorkerState) -> WorkerView:
    return WorkerView(**msgspec.structs.asdict(state.report), leased=state.leased, free=state.free)


def _shown(lease: LiveLease) -> SessionView:
    return SessionView(
        session=short_id(lease.session_id),
        pool=lease.pool,
        worker_id=lease.worker_id,
        tenant=lease.tenant,
        degraded=lease.degraded,
        kept=lease.parked,
        expires_in_ms=lease.expires_in_ms,
    )
