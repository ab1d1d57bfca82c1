"""Where a router is put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from session_router.admission.admitter import Admitter
from session_router.admission.waiting_room import WaitingRoom
from session_router.http.api import RouterApi
from session_router.http.guard import Guard
from session_router.metrics import RouterMetrics
from session_router.registry.reaper import Reaper
from session_router.registry.redis_registry import RedisRegistry
from session_router.registry.registry import Registry
from session_router.scaling.backlog import BacklogGauge, RedisBacklog
from session_router.scaling.unserved import UnservedPools
from session_router.settings import RouterSettings
from shared.bus.redis_addresses import parse_urls
from shared.bus.redis_connections import ConnectionLimits, open_client
from shared.bus.redis_suitability import require_suitable_servers
from shared.clock import Clock, SystemClock
from shared.errors import RattilError
from shared.service.http_json import bug_response, error_response, refusal_response
from shared.service.logging import get_logger
from shared.service.metrics import create_registry
from shared.service.service_keys import ServiceKeys

_log = get_logger(__name__)


@dataclass(frozen=True)
class Router:
    """One router: its web application, and how it drains."""

    app: ASGIApp
    api: RouterApi
    drain_s: float

    async def drain(self) -> None:
        """Say not ready, send those who wait to another router, and give callers time to notice."""
        self.api.draining = True
        self.api.room.close()
        await asyncio.sleep(self.drain_s)


def build_router(settings: RouterSettings, registry: Registry, backlog: BacklogGauge, clock: Clock) -> Router:
    """A router on any registry. The application's lifespan owns the reaper's task."""
    metrics = RouterMetrics(create_registry())
    room = WaitingRoom()
    reaper = Reaper(registry, room, metrics, clock, settings.refresh_interval_s)
    unserved = UnservedPools(clock, settings.scale_refused_s)
    admitter = Admitter(registry, reaper, room, settings.admission_rules, clock, metrics, unserved)
    api = RouterApi(settings, registry, backlog, admitter, reaper, room, metrics, unserved)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await reaper.tick()
        beat = asyncio.create_task(reaper.run(), name="registry-refresh")
        try:
            yield
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    app = Starlette(
        routes=api.routes(),
        lifespan=lifespan,
        exception_handlers={RattilError: _on_rattil_error, HTTPException: _on_http_error, Exception: _on_bug},
    )
    guarded = Guard(app, ServiceKeys(settings.keys), settings.host_names)
    return Router(guarded, api, settings.drain_s)


@asynccontextmanager
async def redis_router(settings: RouterSettings) -> AsyncIterator[Router]:
    """A router on the Redis its settings name; closes its connections at the end."""
    limits = ConnectionLimits(
        max_connections=settings.redis_max_connections,
        connect_s=settings.redis_timeout_s,
        reply_s=settings.redis_timeout_s,
        pool_wait_s=settings.redis_timeout_s,
    )
    shard_limits = ConnectionLimits(
        max_connections=2,
        connect_s=settings.redis_timeout_s,
        reply_s=settings.redis_timeout_s,
        pool_wait_s=settings.redis_timeout_s,
    )
    control = open_client(settings.control_url, limits)
    shards = [open_client(url, shard_limits) for url in parse_urls(settings.redis_url)]
    try:
        await require_suitable_servers(shards, control)
        yield build_router(
            settings,
            RedisRegistry(control, settings.refresh_interval_s, settings.lease_ttl_s),
            RedisBacklog(shards),
            SystemClock(),
        )
    finally:
        await _close(control, *shards)


async def _on_rattil_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RattilError)
    return error_response(error)


async def _on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal_response(error)


async def _on_bug(request: Request, error: Exception) -> Response:
    _log.error("request_failed", path=request.url.path, exc_info=error)
    return bug_response("the router failed; its log says why")


async def _close(*clients: Redis) -> None:
    for client in clients:
        await client.aclose(close_connection_pool=True)
