"""One trace for each segment of a connection, from the cut of its window to the event about it."""

from __future__ import annotations

from typing import NamedTuple

from shared.ids import SessionId, short_id
from shared.protocol.segments import SegmentResult
from shared.service.tracing import OpenSpan, Tracing


class _Received(NamedTuple):
    traceparent: str
    at_ns: int


class SegmentTraces:
    """Holds what the segments in flight need, which `WS_MAX_QUEUE` bounds; nothing where nothing is traced.

    A segment whose session moves to another connection keeps its trace: the result brings its context
    along, and the new connection adds the last span.
    """

    def __init__(self, tracing: Tracing, session_id: SessionId, protocol: str) -> None:
        self._tracing = tracing
        self._session = short_id(session_id)
        self._protocol = protocol
        self._open: dict[int, OpenSpan] = {}
        self._received: dict[int, _Received] = {}

    def cut(self, seq: int, samples: int) -> None:
        """A window was cut; its trace begins."""
        if seq in self._open:
            return
        span = self._tracing.begin(
            "segment", session=self._session, protocol=self._protocol, seq=seq, samples=samples
        )
        if span is not None:
            self._open[seq] = span

    def traceparent(self, seq: int) -> str:
        """What the segment carries to the worker; empty if it is not traced."""
        span = self._open.get(seq)
        return span.traceparent if span else ""

    def now_ns(self) -> int:
        return self._tracing.now_ns()

    def stage(self, name: str, seq: int, start_ns: int) -> None:
        """A stage of this segment has ended."""
        span = self._open.get(seq)
        if span is not None:
            self._tracing.record(name, span.traceparent, start_ns, self._tracing.now_ns())

    def received(self, result: SegmentResult) -> None:
        """A result came, by whatever way."""
        if isinstance(result.traceparent, str) and result.seq not in self._received:
            self._received[result.seq] = _Received(result.traceparent, self._tracing.now_ns())

    def shown(self, seq: int, outcome: str) -> str:
        """The event about this segment is on its way. Returns the id of its trace, empty without one."""
        if not self._open and not self._received:
            return ""
        span, received = self._open.pop(seq, None), self._received.pop(seq, None)
        if received is not None:
            self._tracing.record(
                "event", received.traceparent, received.at_ns, self._tracing.now_ns(), outcome=outcome
            )
        if span is None:
            return ""
        span.end(outcome=outcome)
        return span.trace_id

    def close(self) -> None:
        """The connection has ended; other connections may yet answer what is open."""
        for span in self._open.values():
            span.end(outcome="connection_ended")
        self._open.clear()
        self._received.clear()
