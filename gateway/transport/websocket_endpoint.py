"""From a WebSocket at a dialect's address to its end: key, request, session."""

from __future__ import annotations

import asyncio
import enum
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

Serve = Callable[[GatewayPorts, Transport, Dialect, SessionRequest, str], Awaitable[None]]
"""As `serve_session`."""

ReadRequest = Callable[[Query, str], SessionRequest]
"""Query and tenant in, request out. Raises `BadRequest`; runs in a thread, so it may take a while."""


def going_away(error: RattilError) -> Response:
    """Rattil's own answer to who comes while this gateway drains."""
    return JSONResponse({"error": {"code": error.code, "message": error.message}}, 503, {"Retry-After": "1"})


async def _nothing(_transport: Transport) -> None:
    return


def _by_key() -> str | None:
    return None


def _as_it_is(transport: Transport) -> Transport:
    return transport


async def _no_other(_transport: Transport) -> SessionRequest | None:
    return None


class Checked(enum.Enum):
    """What is checked before a socket opens: a refusal is then an HTTP answer, not an event and a close."""

    NOTHING = 0
    KEY = 1
    REQUEST = 2
    """The key, too."""


@dataclass(frozen=True, slots=True)
class SocketRules:
    """How a dialect opens and closes its WebSockets.

    `closes`: the close of every end. `denial`: the HTTP answer to who is refused before the socket opens, and
    `first`: for what that is. `headers`: of the answer that opens it. `ask`: what is exchanged on the open
    socket before the request can be read; raises `BadRequest` or `PeerGone`. `wrap`: what a dialect puts
    around the transport. `next_session`: what the same socket asks for once a session has ended, None:
    nothing; it raises as `ask` does. `tenant`: who comes in by other means than an API key; None: the key
    says it. `serve`: what serves a request, where one socket may carry several sessions at once.
    """

    closes: Mapping[EndReason, Close]
    denial: Callable[[RattilError], Response] = going_away
    first: Checked = Checked.NOTHING
    headers: Sequence[tuple[bytes, bytes]] = ()
    ask: Callable[[Transport], Awaitable[None]] = _nothing
    wrap: Callable[[Transport], Transport] = _as_it_is
    tenant: Callable[[], str | None] = _by_key
    next_session: Callable[[Transport], Awaitable[SessionRequest | None]] = _no_other
    serve: Serve = serve_session


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
    opening = _Opening(ports, websocket, rules)
    if ports.connections.draining and opening.may_deny:
        # Refused before the socket opens, so that nothing is begun.
        await websocket.send_denial_response(rules.denial(Draining(_GOING_AWAY)))
        return
    address = websocket.client.host if websocket.client else ""
    transport = rules.wrap(StarletteSocket(websocket, rules.closes))
    try:
        request = await opening.request(transport, read_request)
    except PeerGone:
        _log.info("connection_refused", protocol=dialect.name, address=address, code="left")
        return
    except RattilError as error:
        if isinstance(error, Unauthorised):
            ports.metrics.count_refused_entry(error.code)
        _log.info("connection_refused", protocol=dialect.name, address=address, code=error.code)
        if opening.opened:
            await refuse(ports, transport, dialect, error)
            return
        count_refusal(ports, error)
        await websocket.send_denial_response(rules.denial(error))
        return
    await _serve_all(ports, transport, dialect, request, address, rules)


async def _serve_all(
    ports: GatewayPorts,
    transport: Transport,
    dialect: Dialect,
    request: SessionRequest,
    address: str,
    rules: SocketRules,
) -> None:
    """This session, and those that the same socket asks for after it."""
    following: SessionRequest | None = request
    while following is not None:
        await rules.serve(ports, transport, dialect, following, address)
        try:
            following = await rules.next_session(transport)
        except PeerGone:
            return
        except RattilError as error:
            await refuse(ports, transport, dialect, error)
            return


def _expect_room(ports: GatewayPorts, model: str) -> None:
    """For the pool that a new session would go to; a model that there is not is its dialect's to refuse."""
    if ports.models.find(model) is None:
        return
    ports.leases.expect_room(ports.quality.pool_for(ports.models.wish(model, transcription=True)))


class _Opening:
    """One socket up to its request. `opened`: whether the socket is open."""

    def __init__(self, ports: GatewayPorts, websocket: WebSocket, rules: SocketRules) -> None:
        self._ports = ports
        self._websocket = websocket
        self._rules = rules
        self.may_deny = "websocket.http.response" in websocket.scope.get("extensions", {})
        self._first = rules.first if self.may_deny else Checked.NOTHING
        self.opened = False

    async def request(self, transport: Transport, read_request: ReadRequest) -> SessionRequest:
        """What the client asks for; the socket is open then. Raises `RattilError`, `PeerGone`."""
        ports, websocket = self._ports, self._websocket
        query, offered = dict(websocket.query_params), websocket.scope.get("subprotocols", [])
        await self._reached(Checked.NOTHING)
        tenant = self._rules.tenant()
        if tenant is None:
            tenant = ports.auth.tenant(websocket.headers, websocket.query_params, offered)
        await self._reached(Checked.KEY)
        await self._rules.ask(transport)
        if not names_session(query):
            _expect_room(ports, query.get("model", ""))
        request = await asyncio.to_thread(read_request, query, tenant)
        await self._reached(Checked.REQUEST)
        return request

    async def _reached(self, checked: Checked) -> None:
        if checked is self._first:
            offered = self._websocket.scope.get("subprotocols", [])
            await self._websocket.accept(chosen_subprotocol(offered), list(self._rules.headers))
            self.opened = True


_GOING_AWAY = "this gateway is going away; connect to another one"
