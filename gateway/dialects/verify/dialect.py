"""`/ws/verify`: the older dialect, kept for clients that know no other. Only translates.

Binary frames of PCM16 in; `partial_result{transcribed, status}` out, at most one per
`WS_PARTIAL_RESULT_INTERVAL`; after `end` the report of `POST /verify` as `final_result`. It runs on
the same session core as `/ws/recite`, with windows that advance by `WS_BUFFER_THRESHOLD` bytes; it
has no acks and no resume.
"""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.auth.api_keys import SUBPROTOCOL
from gateway.connection.resume import SessionRequest
from gateway.connection.serve import refuse, serve_session
from gateway.dependencies import GatewayPorts
from gateway.dialects.recite.commands import Command
from gateway.dialects.recite.dialect import ReciteDialect, origin_allowed, read_request
from gateway.session.events import AudioSafe, Event, Heard, Opened
from gateway.settings import GatewaySettings
from gateway.transport.websocket import StarletteSocket
from shared.clock import Clock
from shared.errors import RattilError
from shared.protocol.segments import SAMPLE_RATE

PATH = "/ws/verify"
_BYTES_PER_SECOND = SAMPLE_RATE * 2
_QUERY = ("surah", "ayah", "to", "sample_rate")
"""What this dialect takes from its address; it has no resume."""


class PartialVerdict(msgspec.Struct, frozen=True, tag="partial_result"):
    """What was heard so far. `status`: `listening`, then `processing` once `end` was received."""

    transcribed: str
    status: Literal["listening", "processing"]


class VerifyDialect:
    """One connection's translator: paces the partial results, leaves the rest to `ReciteDialect`."""

    name = "verify"

    def __init__(self, clock: Clock, interval_s: float) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._told_s = float("-inf")
        self._ended = False
        self._recite = ReciteDialect()

    def read(self, text: str) -> Command:
        command = self._recite.read(text)
        self._ended = self._ended or command is Command.END
        return command

    def write(self, event: Event) -> str | None:
        if isinstance(event, Heard):
            return self._partial(event)
        if isinstance(event, Opened | AudioSafe):
            return None
        return self._recite.write(event)

    def _partial(self, event: Heard) -> str | None:
        now_s = self._clock.monotonic()
        if now_s - self._told_s < self._interval_s:
            return None
        self._told_s = now_s
        verdict = PartialVerdict(event.feedback.transcript, "processing" if self._ended else "listening")
        return msgspec.json.encode(verdict).decode()


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""

    async def verify(websocket: WebSocket) -> None:
        if not origin_allowed(ports, websocket):
            await websocket.close(1008, "origin_not_allowed")
            return
        offered = websocket.scope.get("subprotocols", [])
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        socket = StarletteSocket(websocket)
        dialect = VerifyDialect(ports.clock, ports.settings.partial_interval_s)
        try:
            tenant = ports.auth.tenant(websocket.headers, websocket.query_params, offered)
            ports.leases.expect_room()
            request = await asyncio.to_thread(_read_request, websocket, tenant, ports.settings)
        except RattilError as error:
            await refuse(ports, socket, dialect, error)
            return
        await serve_session(ports, socket, dialect, request)

    return [WebSocketRoute(PATH, verify)]


def window_s(settings: GatewaySettings) -> float:
    """Window length, seconds, at which a partial decode comes every `WS_BUFFER_THRESHOLD` bytes."""
    wanted_s = settings.buffer_threshold / _BYTES_PER_SECOND + settings.overlap_s
    return min(max(wanted_s, settings.window_min_s), settings.window_max_s)


def _read_request(websocket: WebSocket, tenant: str, settings: GatewaySettings) -> SessionRequest:
    seconds = window_s(settings)
    query = {name: websocket.query_params[name] for name in _QUERY if name in websocket.query_params}
    query["window"] = str(seconds)
    request = read_request(query, tenant, (seconds, seconds), settings.max_passage_words)
    return msgspec.structs.replace(request, protocol=VerifyDialect.name)
