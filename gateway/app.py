"""The gateway's ASGI application: every route, and the tasks that live as long as the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import ASGIApp

from gateway.dependencies import GatewayPorts
from gateway.dialects.committed_lines import dialect as committed_lines
from gateway.dialects.committed_lines import websocket as committed_websocket
from gateway.dialects.deepgram import dialect as deepgram
from gateway.dialects.deepgram import recordings as deepgram_recordings
from gateway.dialects.openai import models as openai_models
from gateway.dialects.openai import transcriptions as openai_transcriptions
from gateway.dialects.openai.realtime import secrets as openai_secrets
from gateway.dialects.openai.realtime import socket as openai_realtime
from gateway.dialects.recite import dialect as recite
from gateway.dialects.stream import dialect as stream
from gateway.dialects.transcriptions import dialect as transcriptions
from gateway.dialects.transcriptions import jobs as transcription_jobs
from gateway.dialects.verify import dialect as verify_ws
from gateway.dialects.whisperlive import dialect as whisperlive
from gateway.http import description, health, metrics, page, sessions, usage, verify, verses
from gateway.http.answers import no_such_socket, on_http_error
from gateway.http.uploads import Uploads
from gateway.transport.entry_check import EntryCheck
from gateway.transport.websocket import TransportFinder


def build_app(ports: GatewayPorts) -> ASGIApp:
    """The application over these ports; closing them stays the caller's."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        keeping = ports.leases.run(ports.models.names, ports.quality.note_load)
        renewals = asyncio.create_task(keeping, name="renew-leases")
        try:
            async with committed_lines.serving(ports):
                yield
        finally:
            renewals.cancel()
            with suppress(asyncio.CancelledError):
                await renewals

    uploads = Uploads(ports)
    routes: list[BaseRoute] = [
        *recite.routes(ports),
        *verify_ws.routes(ports),
        *stream.routes(ports),
        *transcriptions.routes(ports),
        *deepgram.routes(ports),
        *whisperlive.routes(ports),
        *openai_transcriptions.routes(ports, uploads),
        *transcription_jobs.routes(ports),
        *openai_models.routes(ports),
        *deepgram_recordings.routes(ports, uploads),
        *openai_realtime.routes(ports),
        *openai_secrets.routes(ports),
        *verify.routes(ports, uploads),
        *verses.routes(),
        *sessions.routes(ports),
        *usage.routes(ports),
        *health.routes(ports),
        *metrics.routes(ports),
        *description.routes(),
        WebSocketRoute("/{path:path}", no_such_socket),
        *page.routes(ports.settings),
    ]
    handlers = {HTTPException: on_http_error}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    policy = ports.settings.entry_policy()
    return TransportFinder(EntryCheck(app, policy, ports.metrics.count_refused_entry))


def build_stream(ports: GatewayPorts) -> ASGIApp:
    """What `STREAM_WS_PORT` serves."""
    return _beside(ports, committed_websocket.routes(ports))


def build_whisperlive(ports: GatewayPorts) -> ASGIApp:
    """What `WHISPERLIVE_PORT` serves."""
    return _beside(ports, whisperlive.routes(ports, "/{path:path}"))


def _beside(ports: GatewayPorts, routes: Sequence[BaseRoute]) -> ASGIApp:
    """An application of one dialect on a port of its own, with the same entry as the main one."""
    app = Starlette(routes=routes, exception_handlers={HTTPException: on_http_error})
    check = EntryCheck(app, ports.settings.entry_policy(), ports.metrics.count_refused_entry)
    return TransportFinder(check)


def build_admin(ports: GatewayPorts) -> ASGIApp:
    """What probes and Prometheus ask, on a port of its own: no key, and nothing for clients."""
    routes: list[BaseRoute] = [*health.routes(ports), *metrics.open_routes(ports)]
    return Starlette(routes=routes, exception_handlers={HTTPException: on_http_error})
