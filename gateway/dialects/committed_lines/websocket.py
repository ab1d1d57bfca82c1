"""The same over WebSocket, on `STREAM_WS_PORT`: JSON instead of lines. Only translates."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.connection.dialect import Command, Frame, Input
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.description.codes import ErrorCode
from gateway.dialects.committed_lines.dialect import stream_request
from gateway.dialects.committed_lines.lines import CommittedLines, Line
from gateway.dialects.query import Query
from gateway.dialects.recite.commands import BadMessage
from gateway.session.events import Event, Flushed, Opened
from gateway.transport.websocket_endpoint import serve_websocket
from shared.audio.formats import SAMPLE_RATE

COMMANDS = {"flush": Command.FLUSH, "end": Command.END}
"""What a client may say in a text frame."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Send audio: PCM16, mono, at this rate."""

    sample_rate: int = SAMPLE_RATE


class Final(msgspec.Struct, frozen=True, tag="final"):
    """Words that stand and are never taken back; times in ms of the session."""

    beg_ms: int
    end_ms: int
    text: str


class FlushDone(msgspec.Struct, frozen=True, tag="flushed"):
    """Everything that came before `flush` has been answered."""


class Error(msgspec.Struct, frozen=True, tag="error"):
    """What went wrong."""

    code: ErrorCode
    message: str


ServerMessage = Ready | Final | FlushDone | Error

_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    """As it travels."""
    return _encoder.encode(message).decode()


class CommittedMessagesDialect:
    """One connection's translator."""

    name = "committed_messages"
    binary_is_audio = True

    def __init__(self) -> None:
        self._lines = CommittedLines()

    def read(self, frame: Frame) -> Sequence[Input]:
        if isinstance(frame, bytes):
            return (frame,)
        command = COMMANDS.get(frame.strip().lower())
        if command is None:
            raise BadMessage(
                f"{frame.strip()[:40]!r} is no command; send flush or end; audio goes into binary frames"
            )
        return (command,)

    def write(self, event: Event) -> Sequence[Frame]:
        return [encode(message) for message in self._messages(event)]

    def _messages(self, event: Event) -> Sequence[ServerMessage]:
        if isinstance(event, Opened):
            return (Ready(),)
        if isinstance(event, Flushed):
            return (FlushDone(),)
        return [Final(*said) if isinstance(said, Line) else Error(*said) for said in self._lines.of(event)]


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """Every path of `STREAM_WS_PORT`."""

    async def stream(websocket: WebSocket) -> None:
        dialect = CommittedMessagesDialect()

        def request(_query: Query, tenant: str) -> SessionRequest:
            return stream_request(ports, dialect.name, tenant)

        await serve_websocket(ports, websocket, dialect, request)

    return [WebSocketRoute("/{path:path}", stream)]
