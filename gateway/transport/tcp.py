"""The TCP transport: raw bytes in, lines out, for clients as simple as netcat."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End, EndReason
from gateway.connection.transport import PeerGone, Take

READ_BYTES = 16_384
"""Read at once: half a second of PCM16 at 16 kHz."""
END_OF_STREAM = ""
"""The text frame that stands for the end of what the client sends (its half of the connection is closed)."""

NO_LINES: Mapping[EndReason, bytes] = MappingProxyType({})

_WRITE_AT_ONCE_BYTES = 65_536


class TcpTransport:
    """A `Transport` over one accepted TCP connection. Binary frames come in, bytes go out."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        last_lines: Mapping[EndReason, bytes] = NO_LINES,
    ) -> None:
        """`last_lines`: what the client reads last at an end whose reason no event has told."""
        self._last_lines = last_lines
        self._reader = reader
        self._writer = writer
        self._ended = False

    async def pour(self, take: Take) -> None:
        """After the end of the stream nothing comes any more, but the client may still be reading."""
        while not self._ended:
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError as error:
                raise PeerGone from error
            self._ended = not data
            if not take(data or END_OF_STREAM):
                return
        await asyncio.Event().wait()

    async def send(self, frame: Frame) -> None:
        try:
            self._writer.write(_bytes(frame))
            await self._writer.drain()
        except OSError as error:
            raise PeerGone from error

    def send_now(self, frame: Frame) -> bool:
        transport = self._writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > _WRITE_AT_ONCE_BYTES:
            return False
        self._writer.write(_bytes(frame))
        return True

    async def end(self, end: End) -> None:
        """TCP has no word for a reason: what there is to say is said as a line."""
        if not end.detail and end.reason in self._last_lines:
            self.send_now(self._last_lines[end.reason])
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # the client was faster

    def abort(self, after_s: float) -> None:
        asyncio.get_running_loop().call_later(after_s, self._writer.transport.abort)


def _bytes(frame: Frame) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
