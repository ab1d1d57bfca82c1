"""What a session puts on the bus: a segment for the workers, and the explicit end of one without answer."""

from __future__ import annotations

from gateway.session.identity import SessionIdentity
from gateway.session.segmenter import Window
from gateway.session.snapshot import Flight
from shared.ids import Epoch, TraceId
from shared.protocol.segments import Segment, SegmentResult

_DROPPED = {
    "state_lost": "the session's state was lost before this audio was answered",
    "timeout": "no worker answered this audio in time",
}


def segment_message(
    identity: SessionIdentity, epoch: Epoch, window: Window, wall_ms: int, deadline_ms: int
) -> Segment:
    """The bus message of a window that has a seq. `wall_ms`: now, as other machines read it; `deadline_ms`:
    what it may take."""
    seq = window.seq
    assert seq is not None, "only windows with a seq are decoded"
    return Segment(
        session_id=identity.session_id,
        connection_id=identity.connection_id,
        epoch=epoch,
        seq=seq,
        start_sample=window.start_sample,
        samples=len(window.pcm) // 2,
        audio=window.pcm,
        pool=identity.pool,
        trace_id=_trace(identity, seq),
        created_ms=wall_ms,
        deadline_ms=wall_ms + deadline_ms,
        priority="final" if window.final else "partial",
        options=identity.options.task,
    )


def dropped_message(identity: SessionIdentity, epoch: Epoch, flight: Flight, code: str) -> SegmentResult:
    """The end of a segment whose result does not come. `code`: "state_lost" or "timeout"."""
    return SegmentResult(
        session_id=identity.session_id,
        connection_id=identity.connection_id,
        epoch=epoch,
        seq=flight.seq,
        start_sample=flight.start_sample,
        samples=flight.samples,
        trace_id=_trace(identity, flight.seq),
        outcome="dropped",
        code=code,
        message=_DROPPED[code],
        priority="final" if flight.final else "partial",
    )


def _trace(identity: SessionIdentity, seq: int) -> TraceId:
    return TraceId(f"{identity.connection_id}-{seq}")
