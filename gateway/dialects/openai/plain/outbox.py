"""What several sessions say on one socket, in the order in which they say it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End
from gateway.connection.send_queue import SendQueue, SlowConsumer
from gateway.connection.transport import PeerGone, Take, Transport

_LAST_WORDS_S = 2.0
"""How long a closing socket may take for each frame that is queued, and for the close, seconds."""

_LINGER_S = 15.0
"""Longest life of a socket after its close frame, seconds: more than uvicorn's own 10 s for the answer."""


class Outbox:
    """A `Transport` with one queue for all who write to it; `write` must run."""

    def __init__(self, inner: Transport, queue: SendQueue, send_timeout_s: float) -> None:
        self._inner = inner
        self._queue = queue
        self._send_timeout_s = send_timeout_s
        self._filled = asyncio.Event()
        self._sending = asyncio.Lock()

    def post(self, frame: Frame) -> None:
        """Raises `SlowConsumer` at the bound."""
        self._queue.put(frame)
        self._filled.set()

    async def write(self) -> None:
        """Send for ever. Raises `SlowConsumer` or `PeerGone`."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            async with self._sending:
                await self._queue.flush(self._inner, self._send_timeout_s)

    async def pour(self, take: Take) -> None:
        await self._inner.pour(take)

    async def send(self, frame: Frame) -> None:
        self.post(frame)

    def send_now(self, frame: Frame) -> bool:
        self.post(frame)
        return True

    async def end(self, end: End) -> None:
        """After what is queued; a client that does not read that is cut off."""
        async with self._sending:
            try:
                with suppress(SlowConsumer):
                    await self._queue.flush(self._inner, _LAST_WORDS_S)
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self._inner.end(end)
            except TimeoutError:
                self._inner.abort(0)
            except PeerGone:
                return
            else:
                self._inner.abort(_LINGER_S)

    def abort(self, after_s: float) -> None:
        self._inner.abort(after_s)
