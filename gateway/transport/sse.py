"""Server-sent events (HTML standard, section 9.2): one answer that goes on until its events end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.service.logging import get_logger

MEDIA_TYPE = "text/event-stream; charset=utf-8"
_KEEPALIVE = b": still working\n\n"
"""A comment: clients skip it, and proxies see that the connection lives."""

_log = get_logger(__name__)

Events = AsyncGenerator[str, None]
"""The data of each event, in order: text without line breaks, such as JSON."""


class EventStream(Response):
    """Sends events as they come. The generator is closed when they end, when the client leaves, and when it
    does not read: events are made no faster than they are read, so nothing waits in memory."""

    def __init__(
        self,
        events: Events,
        *,
        keepalive_s: float,
        send_timeout_s: float,
        closed: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        """`send_timeout_s`: longest time that one event may take to send. `closed` is told at the end, in any
        case, whether all was sent (`ok`), the client left (`aborted`), did not read (`slow_consumer`), or
        something went wrong (`internal`)."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self.headers["content-type"] = MEDIA_TYPE
        self._events = events
        self._keepalive_s = keepalive_s
        self._send_timeout_s = send_timeout_s
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = "internal"
        try:
            async with aclosing(self._events):
                outcome = await self._until_ended(receive, send)
        finally:
            self._closed(outcome)

    async def _until_ended(self, receive: Receive, send: Send) -> str:
        sending = asyncio.create_task(self._send_all(send), name="send-events")
        leaving = asyncio.create_task(_client_leaves(receive), name="client-leaves")
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                return "aborted"
            return await sending
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send_all(self, send: Send) -> str:
        head = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(head)
        coming: asyncio.Task[str | None] | None = None
        try:
            while True:
                coming = coming or asyncio.create_task(_next(self._events), name="next-event")
                ready, _ = await asyncio.wait([coming], timeout=self._keepalive_s)
                if not ready:
                    await self._send(send, _KEEPALIVE)
                    continue
                data, coming = coming.result(), None
                if data is None:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return "ok"
                await self._send(send, f"data: {data}\n\n".encode())
        except TimeoutError:
            _log.info("event_stream_given_up", why="the client does not read")
            return "slow_consumer"
        except OSError:
            return "aborted"  # uvicorn's way to say that the client has left
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    async def _send(self, send: Send, data: bytes) -> None:
        """Raises `TimeoutError` when the client does not read."""
        async with asyncio.timeout(self._send_timeout_s):
            await send({"type": "http.response.body", "body": data, "more_body": True})


async def _next(events: Events) -> str | None:
    return await anext(events, None)


async def _client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
