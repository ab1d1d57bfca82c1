"""A client that sends nothing for a while is told all that it has said.

WhisperLive's own client plays a file, waits until no new text comes, and only then sends the end, after which
it reads nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End
from gateway.connection.transport import Take, Transport

FLUSH: Frame = "no audio has come for a while"
"""Given between the client's frames; it is known by identity, so that no client can send it."""


class FlushInPauses:
    """A `Transport` that gives `FLUSH` once no audio has come for so long after some has."""

    def __init__(self, inner: Transport, pause_s: float, is_audio: Callable[[Frame], bool]) -> None:
        self._inner = inner
        self._pause_s = pause_s
        self._is_audio = is_audio
        self._audio_s: float | None = None
        """When the last audio came, if nothing was given since."""
        self._timer: asyncio.TimerHandle | None = None

    async def pour(self, take: Take) -> None:
        loop = asyncio.get_running_loop()

        def look() -> None:
            self._timer = None
            if self._audio_s is None:
                return
            left_s = self._audio_s + self._pause_s - loop.time()
            if left_s > 0:
                self._timer = loop.call_later(left_s, look)
                return
            self._audio_s = None
            take(FLUSH)

        def noted(frame: Frame) -> bool:
            self._audio_s = loop.time() if self._is_audio(frame) else None
            if self._timer is None:
                self._timer = loop.call_later(self._pause_s, look)
            return take(frame)

        if self._audio_s is not None:  # it was not read for a while
            self._timer = loop.call_later(self._pause_s, look)
        try:
            await self._inner.pour(noted)
        finally:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    async def send(self, frame: Frame) -> None:
        await self._inner.send(frame)

    def send_now(self, frame: Frame) -> bool:
        return self._inner.send_now(frame)

    async def end(self, end: End) -> None:
        await self._inner.end(end)

    def abort(self, after_s: float) -> None:
        self._inner.abort(after_s)
