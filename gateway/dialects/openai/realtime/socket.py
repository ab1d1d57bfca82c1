"""From a socket at `/v1/realtime` to its end: configuration, audio, one session after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.auth.api_keys import presented_key
from gateway.auth.client_secrets import PREFIX, ClientSecrets
from gateway.connection.dialect import Dialect, Frame
from gateway.connection.end_reason import EndConnection, EndReason
from gateway.connection.serve import serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import PeerGone, Transport
from gateway.dependencies import GatewayPorts
from gateway.dialects.openai.errors import error_response
from gateway.dialects.openai.models import ALIASES
from gateway.dialects.openai.plain.socket import PlainSocket
from gateway.dialects.openai.realtime.dialect import RealtimeDialect
from gateway.dialects.openai.realtime.session_config import SessionConfig
from gateway.dialects.openai.realtime.sessions_transport import SessionsTransport
from gateway.dialects.query import Query
from gateway.interpreters.transcription.plan import TranscriptionPlan
from gateway.session.events import Trouble
from gateway.transport.websocket_endpoint import Checked, SocketRules, serve_websocket
from shared.errors import BadRequest
from shared.ids import new_session_id
from shared.protocol.close_codes import Close

PATH = "/v1/realtime"
CONVERSATION_MODELS = "gpt-realtime"
"""Names that begin so are of the conversation, not of what transcribes it."""
_BETA_HEADER = "realtime=v1"
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
_SERVER = Close(1011, "the service failed; connect again")

CLOSES: Mapping[EndReason, Close] = {
    EndReason.DONE: Close(1000, "done"),
    EndReason.BAD_REQUEST: Close(1008, "the client sent what cannot be served"),
    EndReason.FRAME_TOO_BIG: Close(1009, "a message is too big"),
    EndReason.DRAINING: Close(1012, "this gateway is going away; connect again"),
    EndReason.SLOW_CONSUMER: Close(1011, "messages were not read in time; connect again"),
    EndReason.IDLE: Close(1000, "no audio for too long; connect again"),
    EndReason.UNRESPONSIVE: Close(1011, "no answer to pings; connect again"),
    EndReason.STATE_LOST: _SERVER,
    EndReason.BUS_AWAY: _SERVER,
    EndReason.NO_CAPACITY: Close(1013, "no capacity: try again later"),
    EndReason.INTERNAL: _SERVER,
    EndReason.SUPERSEDED: Close(1008, "another connection took this session"),
    EndReason.UNAUTHORISED: Close(1008, "unauthorised"),
    EndReason.LAGGING: Close(1013, "results are too far behind; connect again"),
    EndReason.OVERLOADED: Close(1013, "results come too late now: try again later"),
    EndReason.TOO_LONG: Close(1000, "the session is as long as it may be; connect again"),
}


class RealtimeSocket:
    """One socket."""

    def __init__(self, ports: GatewayPorts, dialect: RealtimeDialect, model: str) -> None:
        """`model`: of the address. That of a conversation says nothing of what transcribes."""
        self._ports = ports
        self._dialect = dialect
        self._model = "" if model.startswith(CONVERSATION_MODELS) and model not in ALIASES else model
        self._tenant = ""
        self._transport: SessionsTransport | None = None
        self._bad_events = 0

    def wrap(self, inner: Transport) -> SessionsTransport:
        self._transport = SessionsTransport(inner, self._dialect)
        return self._transport

    async def greet(self, transport: Transport) -> None:
        """Say what the session is, and let the client say what it is to be, until there is audio.

        Raises `BadParameter` for a model that is not served, or `PeerGone`.
        """
        if self._model:
            self._dialect.transcribe_by(self._model)
        for frame in self._dialect.greeting():
            await transport.send(frame)
        await self._until_audio()

    def request(self, _query: Query, tenant: str) -> SessionRequest:
        """The session as it is configured now."""
        self._tenant = tenant
        return self._request()

    async def next_session(self, transport: Transport) -> SessionRequest | None:
        assert self._transport is not None
        if self._transport.ended or not self._dialect.renews:
            return None
        await self._until_audio()
        return self._request()

    async def serve(
        self,
        ports: GatewayPorts,
        transport: Transport,
        dialect: Dialect,
        request: SessionRequest,
        address: str,
    ) -> None:
        """One session after the other, or in the plain form one for each source."""
        if self._dialect.plain:
            await PlainSocket(ports, transport, request).serve(address)
        else:
            await serve_session(ports, transport, dialect, request, address)

    def _request(self) -> SessionRequest:
        asked = self._dialect.config.options(self._ports.models)
        options, lowered = self._ports.quality.terms(asked)
        self._dialect.begins()
        return SessionRequest(
            protocol=self._dialect.name,
            plan=TranscriptionPlan(self._ports, options),
            session_id=new_session_id(),
            tenant=self._tenant,
            named=False,
            resumable=False,
            options=options,
            lowered=tuple(step.name.lower() for step in lowered),
        )

    async def _until_audio(self) -> None:
        """Raises `PeerGone`, also after the socket was closed here: for idleness, or too many bad events."""
        assert self._transport is not None
        self._dialect.may_read.set()
        idle_s = self._ports.settings.idle_timeout_s
        try:
            async with asyncio.timeout(idle_s):
                while not await self._one_event(self._transport):
                    pass
        except TimeoutError:
            await self._close(EndReason.IDLE, "idle_timeout", f"no audio for {idle_s:g} s; connect again")

    async def _one_event(self, transport: SessionsTransport) -> bool:
        """Read one event and answer it; True if a session begins: with audio, which is kept, or in the plain
        form."""
        frames: list[Frame] = []

        def take(frame: Frame) -> bool:
            frames.append(frame)
            return False

        await transport.pour(take)
        most = self._ports.settings.max_frame_bytes
        if len(frames[0]) > most:
            await self._close(
                EndReason.FRAME_TOO_BIG,
                "frame_too_big",
                f"an event of {len(frames[0])} bytes; send at most {most}",
            )
        try:
            inputs = self._dialect.read(frames[0])
        except BadRequest as error:
            await self._refuse(error)
            return False
        if any(isinstance(one, bytes) for one in inputs):
            self._dialect.unread()
            transport.keep(frames[0])
            return True
        for frame in self._dialect.replies():
            await transport.send(frame)
        return self._dialect.plain

    async def _refuse(self, error: BadRequest) -> None:
        assert self._transport is not None
        self._ports.metrics.bad_messages.labels(error.code).inc()
        self._bad_events += 1
        if self._bad_events >= self._ports.settings.max_bad_messages:
            await self._close(EndReason.BAD_REQUEST, error.code, error.message)
        for frame in self._dialect.write(Trouble(error.code, error.message)):
            await self._transport.send(frame)

    async def _close(self, reason: EndReason, code: str, message: str) -> None:
        assert self._transport is not None
        for frame in self._dialect.write(Trouble(code, message)):
            await self._transport.send(frame)
        await self._transport.end(EndConnection(reason, code, message).end)
        self._ports.metrics.closes.labels(reason.value).inc()
        raise PeerGone


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""
    secrets = ClientSecrets(ports.settings.api_keys)

    async def realtime(websocket: WebSocket) -> None:
        offered = websocket.scope.get("subprotocols", [])
        beta = _BETA_HEADER in websocket.headers.get("openai-beta", "") or _BETA_SUBPROTOCOL in offered
        dialect = RealtimeDialect(SessionConfig(ALIASES[0]), ports.models, beta=beta)
        socket = RealtimeSocket(ports, dialect, websocket.query_params.get("model", ""))

        def tenant() -> str | None:
            key = presented_key(websocket.headers, websocket.query_params, offered)
            if not key.startswith(PREFIX):
                return None
            grant = secrets.read(key, ports.clock.wall_ms() / 1000)
            dialect.begin_with(msgspec.json.decode(grant.session, type=dict[str, Any]))
            return grant.tenant

        rules = SocketRules(
            CLOSES,
            error_response,
            tenant=tenant,
            first=Checked.KEY,
            ask=socket.greet,
            wrap=socket.wrap,
            next_session=socket.next_session,
            serve=socket.serve,
        )
        await serve_websocket(ports, websocket, dialect, socket.request, rules)

    return [WebSocketRoute(PATH, realtime)]
