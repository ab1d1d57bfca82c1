"""The WebSocket transport: Starlette on uvicorn, and the close code of every end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End, EndReason
from gateway.connection.transport import PeerGone, Take
from gateway.transport.uvicorn_frames import FrameProtocol
from shared.protocol import close_codes
from shared.protocol.close_codes import Close

_REASON_BYTES = 123
"""A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5)."""


CLOSES: Mapping[EndReason, Close] = {
    EndReason.DONE: close_codes.NORMAL,
    EndReason.BAD_REQUEST: close_codes.POLICY,
    EndReason.FRAME_TOO_BIG: close_codes.TOO_BIG,
    EndReason.DRAINING: close_codes.DRAINING,
    EndReason.SLOW_CONSUMER: close_codes.SLOW_CONSUMER,
    EndReason.IDLE: close_codes.IDLE,
    EndReason.UNRESPONSIVE: close_codes.UNRESPONSIVE,
    EndReason.STATE_LOST: close_codes.STATE_LOST,
    EndReason.BUS_AWAY: close_codes.BUS_AWAY,
    EndReason.NO_CAPACITY: close_codes.NO_CAPACITY,
    EndReason.INTERNAL: close_codes.INTERNAL,
    EndReason.SUPERSEDED: close_codes.SUPERSEDED,
    EndReason.UNAUTHORISED: close_codes.UNAUTHORISED,
    EndReason.TOO_LONG: close_codes.TOO_LONG,
    EndReason.LAGGING: close_codes.LAGGING,
    EndReason.OVERLOADED: close_codes.OVERLOADED,
}
"""How Rattil's own dialects close a WebSocket. A dialect of another service has a table of its own."""


class StarletteSocket:
    """An accepted Starlette WebSocket: a `Transport`."""

    def __init__(self, websocket: WebSocket, closes: Mapping[EndReason, Close] = CLOSES) -> None:
        self._closes = closes
        self._websocket = websocket
        # Starlette's own checks the order of messages each time; once accepted, none can be wrong.
        self._receive = websocket.scope.get(_RECEIVE_KEY, websocket.receive)
        protocol = getattr(self._receive, "__self__", None)
        self._frames = protocol if isinstance(protocol, FrameProtocol) else None
        self._gone = False

    async def pour(self, take: Take) -> None:
        if self._frames is None:
            while take(await self._next()):
                pass
            return
        if self._gone or not await self._frames.pour(take):
            self._gone = True
            raise PeerGone

    async def _next(self) -> bytes | str:
        if self._gone:
            raise PeerGone
        try:
            message = await self._receive()
        except RuntimeError as error:
            raise PeerGone from error
        if message["type"] == "websocket.disconnect":
            self._gone = True
            raise PeerGone
        data = message.get("bytes")
        frame: bytes | str = message["text"] if data is None else data
        return frame

    async def send(self, frame: Frame) -> None:
        try:
            if isinstance(frame, str):
                await self._websocket.send_text(frame)
            else:
                await self._websocket.send_bytes(frame)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            raise PeerGone from error

    def send_now(self, frame: Frame) -> bool:
        return self._frames is not None and isinstance(frame, str) and self._frames.send_now(frame)

    async def end(self, end: End) -> None:
        close = self._closes[end.reason]
        # A client that did something wrong reads what; for all other ends the reason says what to do.
        reason = end.detail if end.detail and end.reason is EndReason.BAD_REQUEST else close.reason
        try:
            await self._websocket.close(close.code, shorten(reason))
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # it is closed already

    def abort(self, after_s: float) -> None:
        transport = find_transport(self._websocket.scope)
        if transport is not None:
            asyncio.get_running_loop().call_later(after_s, transport.abort)


class TransportFinder:
    """ASGI wrapper that notes the server's transport and its `receive` in the scope of WebSockets.

    ASGI has no way to drop a connection, and closing one whose client does not read waits for
    that client; uvicorn's `send` is a method of the protocol object that owns the transport.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            scope[_SCOPE_KEY] = getattr(getattr(send, "__self__", None), "transport", None)
            scope[_RECEIVE_KEY] = receive
        try:
            await self._app(scope, receive, send)
        finally:
            scope.pop(_RECEIVE_KEY, None)  # a method of what holds the scope


_SCOPE_KEY = "rattil.transport"
_RECEIVE_KEY = "rattil.receive"


def find_transport(scope: Any) -> Any:
    """The asyncio transport under a WebSocket, None where the server does not show it."""
    return scope.get(_SCOPE_KEY)


def shorten(reason: str) -> str:
    """At most as long as a close frame can hold, cut between characters."""
    return reason.encode()[:_REASON_BYTES].decode(errors="ignore")
