"""From a WebSocket at a dialect's address to its end: key, request, session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from gateway.auth.api_keys import chosen_subprotocol
from gateway.connection.dialect import Dialect
from gateway.connection.end_reason import EndReason
from gateway.connection.serve import count_refusal, refuse, serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import PeerGone, Transport
from gateway.dependencies import GatewayPorts
from gateway.dialects.query import Query, names_session
from gateway.transport.websocket import CLOSES, StarletteSocket
from shared.errors import Draining, RattilError, Unauthorised
from shared.protocol.close_codes import Close
from shared.service.logging import get_logger

_log = get_logger(__name__)

ReadRequest = Callable[[Query, str], SessionRequest]
"""Query and tenant in, request out. Raises `BadRequest`; runs in a thread, so it may take a while."""


def going_away(error: RattilError) -> Response:
    """Rattil's own answer to who comes while this gateway drains."""
    return JSONResponse({"error": {"code": error.code, "message": error.message}}, 503, {"Retry-After": "1"})


async def _nothing(_transport: Transport) -> None:
    return


@dataclass(frozen=True, slots=True)
class SocketRules:
    """How a dialect opens and closes its WebSockets.

    `closes`: the close of every end. `denial`: the HTTP answer to who is refused before the socket opens.
    `denies_requests`: whether a request that cannot be served is refused so, too, and not by an event on the
    open socket. `headers`: of the answer that opens it. `ask`: what is exchanged on the open socket before
    the request can be read; raises `BadRequest` or `PeerGone`.
    """

    closes: Mapping[EndReason, Close]
    denial: Callable[[RattilError], Response] = going_away
    denies_requests: bool = False
    headers: Sequence[tuple[bytes, bytes]] = ()
    ask: Callable[[Transport], Awaitable[None]] = _nothing


OWN_RULES = SocketRules(CLOSES)
"""Of Rattil's own dialects."""


async def serve_websocket(
    ports: GatewayPorts,
    websocket: WebSocket,
    dialect: Dialect,
    read_request: ReadRequest,
    rules: SocketRules = OWN_RULES,
) -> None:
    """Serve one WebSocket that speaks `dialect`, to its end."""
    may_deny = "websocket.http.response" in websocket.scope.get("extensions", {})
    if ports.connections.draining and may_deny:
        # Refused before the socket opens, so that nothing is begun.
        await websocket.send_denial_response(rules.denial(Draining(_GOING_AWAY)))
        return
    address = websocket.client.host if websocket.client else ""
    denies = rules.denies_requests and may_deny
    transport = StarletteSocket(websocket, rules.closes)
    try:
        if not denies:
            await _accept(websocket, rules)
        request = await _request(ports, websocket, transport, read_request, rules)
        if denies:
            await _accept(websocket, rules)
    except PeerGone:
        _log.info("connection_refused", protocol=dialect.name, address=address, code="left")
        return
    except RattilError as error:
        if isinstance(error, Unauthorised):
            ports.metrics.count_refused_entry(error.code)
        _log.info("connection_refused", protocol=dialect.name, address=address, code=error.code)
        if denies:
            count_refusal(ports, error)
            await websocket.send_denial_response(rules.denial(error))
            return
        await refuse(ports, transport, dialect, error)
        return
    await serve_session(ports, transport, dialect, request, address)


async def _accept(websocket: WebSocket, rules: SocketRules) -> None:
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(chosen_subprotocol(offered), list(rules.headers))


async def _request(
    ports: GatewayPorts,
    websocket: WebSocket,
    transport: Transport,
    read_request: ReadRequest,
    rules: SocketRules,
) -> SessionRequest:
    """What the client asks for. Raises `RattilError`, `PeerGone`."""
    query = dict(websocket.query_params)
    offered = websocket.scope.get("subprotocols", [])
    tenant = ports.auth.tenant(websocket.headers, websocket.query_params, offered)
    if not names_session(query):
        ports.leases.expect_room()
    await rules.ask(transport)
    return await asyncio.to_thread(read_request, query, tenant)


_GOING_AWAY = "this gateway is going away; connect to another one"
