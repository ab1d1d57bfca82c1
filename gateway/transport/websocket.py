"""The client's socket as connections use it, and its adapter to Starlette on uvicorn."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from shared.protocol.close_codes import Close
from shared.service.websocket_frames import FrameProtocol, Take

_REASON_BYTES = 123
"""A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5)."""


class PeerGone(Exception):
    """The client's side of the socket is closed."""


class Socket(Protocol):
    """Text and binary frames. `pour` and `send` raise `PeerGone`."""

    async def pour(self, take: Take) -> None:
        """Give `take` every frame as it comes, in order, until it returns False. Raises what it raises."""
        ...

    async def send(self, text: str) -> None: ...

    def send_now(self, text: str) -> bool:
        """Send if that needs no waiting; False: it was not sent, `send` must be asked."""
        ...

    async def close(self, close: Close) -> None: ...

    def abort(self, after_s: float) -> None:
        """Drop the connection then, if it still stands: a client may never answer a close frame."""
        ...


class StarletteSocket:
    """An accepted Starlette WebSocket."""

    def __init__(self, websocket: WebSocket) -> None:
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

    async def send(self, text: str) -> None:
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            raise PeerGone from error

    def send_now(self, text: str) -> bool:
        return self._frames is not None and self._frames.send_now(text)

    async def close(self, close: Close) -> None:
        try:
            await self._websocket.close(close.code, shorten(close.reason))
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
