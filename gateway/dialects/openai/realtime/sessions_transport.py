"""One socket for sessions that follow one another."""

from __future__ import annotations

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End, EndReason
from gateway.connection.transport import Take, Transport
from gateway.dialects.openai.realtime.dialect import RealtimeDialect


class SessionsTransport:
    """A `Transport` that outlives its sessions: one that ends because another one is to begin closes nothing.

    Frames come as bytes, whatever they were, so that one bound holds for all. While the dialect may not read,
    none is given.
    """

    def __init__(self, inner: Transport, dialect: RealtimeDialect) -> None:
        self._inner = inner
        self._dialect = dialect
        self._kept: Frame | None = None
        self.ended = False

    def keep(self, frame: Frame) -> None:
        """This frame belongs to the session that comes."""
        self._kept = frame

    async def pour(self, take: Take) -> None:
        await self._dialect.may_read.wait()
        kept, self._kept = self._kept, None
        if kept is not None and not self._given(take, kept):
            return
        await self._inner.pour(lambda frame: self._given(take, frame))

    def _given(self, take: Take, frame: Frame) -> bool:
        return take(frame.encode() if isinstance(frame, str) else frame) and self._dialect.may_read.is_set()

    async def send(self, frame: Frame) -> None:
        await self._inner.send(frame)

    def send_now(self, frame: Frame) -> bool:
        return self._inner.send_now(frame)

    async def end(self, end: End) -> None:
        if end.reason is EndReason.DONE and self._dialect.renews:
            return
        self.ended = True
        await self._inner.end(end)

    def abort(self, after_s: float) -> None:
        if self.ended or not self._dialect.renews:
            self._inner.abort(after_s)
