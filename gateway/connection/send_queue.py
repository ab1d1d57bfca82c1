"""Events waiting for one client: bounded in bytes and count, sent by one writer.

A client that reads what it gets is sent each event at once, and the writer sleeps.
Nothing is ever dropped from it: a client that reads too slowly is closed and may resume, and then
gets from the result log what it has not seen.
"""

from __future__ import annotations

import asyncio
from collections import deque

from gateway.connection.dialect import Frame, bytes_of
from gateway.connection.transport import Transport


class SlowConsumer(Exception):
    """The client does not read its events in time."""


class SendQueue:
    """One per connection. `put` never blocks; `write` is run by one task."""

    def __init__(self, max_bytes: int, max_events: int, send_timeout_s: float) -> None:
        self._max_bytes = max_bytes
        self._max_events = max_events
        self._send_timeout_s = send_timeout_s
        self._waiting: deque[Frame] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._transport: Transport | None = None

    def put(self, frame: Frame) -> None:
        """Send or queue one frame. Raises `SlowConsumer` at the bound (one frame always fits)."""
        if not self._waiting and self._transport is not None and self._transport.send_now(frame):
            return
        size = bytes_of(frame)
        full = self._bytes + size > self._max_bytes or len(self._waiting) >= self._max_events
        if full and self._waiting:
            raise SlowConsumer
        self._waiting.append(frame)
        self._bytes += size
        self._filled.set()

    async def write(self, transport: Transport) -> None:
        """Send for ever. Raises `SlowConsumer` when one frame takes too long, or `PeerGone`."""
        self._transport = transport
        try:
            while True:
                await self._filled.wait()
                await self.flush(transport, self._send_timeout_s)
        finally:
            self._transport = None

    async def flush(self, transport: Transport, timeout_s: float) -> None:
        """Send what is there. A frame leaves the box only once it was sent."""
        while self._waiting:
            if not await _sent(transport, self._waiting[0], timeout_s):
                raise SlowConsumer
            self._bytes -= bytes_of(self._waiting.popleft())
        self._filled.clear()


async def _sent(transport: Transport, frame: Frame, timeout_s: float) -> bool:
    """Whether it went in time. Raises `PeerGone`.

    The timeout is not raised on: its traceback leads to the task that failed, and that to it again.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await transport.send(frame)
    except TimeoutError:
        return False
    return True
