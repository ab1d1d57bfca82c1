"""From a WebSocket at a dialect's address to its end: key, request, session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from gateway.auth.api_keys import SUBPROTOCOL
from gateway.connection.dialect import Dialect
from gateway.connection.end_reason import EndReason
from gateway.connection.serve import refuse, serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.query import Query, names_session
from gateway.transport.websocket import CLOSES, StarletteSocket
from shared.errors import RattilError, Unauthorised
from shared.protocol.close_codes import Close
from shared.service.logging import get_logger

_log = get_logger(__name__)

ReadRequest = Callable[[Query, str], SessionRequest]
"""Query and tenant in, request out. Raises `BadRequest`; runs in a thread, so it may take a while."""


async def serve_websocket(
    ports: GatewayPorts,
    websocket: WebSocket,
    dialect: Dialect,
    read_request: ReadRequest,
    closes: Mapping[EndReason, Close] = CLOSES,
) -> None:
    """Serve one WebSocket that speaks `dialect`, to its end."""
    if ports.connections.draining and "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(going_away())
        return
    address = websocket.client.host if websocket.client else ""
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    transport = StarletteSocket(websocket, closes)
    query = dict(websocket.query_params)
    try:
        tenant = ports.auth.tenant(websocket.headers, websocket.query_params, offered)
        if not names_session(query):
            _expect_room(ports, query.get("model", ""))
        request = await asyncio.to_thread(read_request, query, tenant)
    except RattilError as error:
        if isinstance(error, Unauthorised):
            ports.metrics.count_refused_entry(error.code)
        _log.info("connection_refused", protocol=dialect.name, address=address, code=error.code)
        await refuse(ports, transport, dialect, error)
        return
    await serve_session(ports, transport, dialect, request, address)


def _expect_room(ports: GatewayPorts, model: str) -> None:
    """For the pool that a new session would go to; a model that there is not is its dialect's to refuse."""
    if ports.models.find(model) is None:
        return
    ports.leases.expect_room(ports.quality.pool_for(ports.models.wish(model, transcription=True)))


def going_away() -> Response:
    """To who comes while this gateway drains: refused before the socket opens, so that nothing is begun."""
    body = {"code": "draining", "message": "this gateway is going away; connect to another one"}
    return JSONResponse({"error": body}, 503, {"Retry-After": "1"})
