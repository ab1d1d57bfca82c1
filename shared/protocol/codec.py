"""Bus messages as bytes: MessagePack both ways, with a version check and named errors.

A delivery on a `results:<connection>` channel is one of two frames, told apart by its first byte:

* `<offset>:<MessagePack SegmentResult>`: a committed result. The commit script learns the offset
  only while it runs, and putting it in front of bytes it need not understand costs it nothing.
* `!<MessagePack Takeover>`: a newer connection owns the session.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from shared.errors import BadRequest
from shared.ids import ConnectionId, Epoch, SessionId, TraceId
from shared.protocol.segments import (
    BUS_VERSION,
    SEGMENT_VERSION,
    LoggedResult,
    Segment,
    SegmentResult,
    Takeover,
)

_TAKEOVER_MARK = b"!"

_encoder = msgspec.msgpack.Encoder()
_segment = msgspec.msgpack.Decoder(Segment)
_result = msgspec.msgpack.Decoder(SegmentResult)
_takeover = msgspec.msgpack.Decoder(Takeover)


class _Versioned(msgspec.Struct):
    v: int = BUS_VERSION


_version = msgspec.msgpack.Decoder(_Versioned)


class SegmentIdentity(msgspec.Struct, frozen=True):
    """What every version of a segment has: enough to answer one that cannot be read."""

    session_id: SessionId
    connection_id: ConnectionId
    epoch: Epoch
    seq: int
    start_sample: int
    samples: int
    trace_id: TraceId = TraceId("")


_identity = msgspec.msgpack.Decoder(SegmentIdentity)

_Message = TypeVar("_Message", Segment, SegmentResult, Takeover)


def encode_segment(segment: Segment) -> bytes:
    return _encoder.encode(segment)


def decode_segment(data: bytes) -> Segment:
    """Raises `BadRequest` if the bytes are no segment of a version this process understands."""
    return _checked(_segment, data, "segment", SEGMENT_VERSION)


def decode_identity(data: bytes) -> SegmentIdentity | None:
    """Whose a segment is that `decode_segment` refused; None if not even that can be read."""
    try:
        return _identity.decode(data)
    except msgspec.MsgspecError:
        return None


def encode_result(result: SegmentResult) -> bytes:
    """What cannot be encoded becomes an error result: one item must not fail the others of its commit."""
    try:
        return _encoder.encode(result)
    except (TypeError, ValueError, OverflowError) as error:
        return _encoder.encode(_unencodable(result, error))


def _unencodable(result: SegmentResult, error: Exception) -> SegmentResult:
    """Only what says which segment it is: an engine gave something else than what it declares."""
    return SegmentResult(
        session_id=result.session_id,
        connection_id=result.connection_id,
        epoch=result.epoch,
        seq=result.seq,
        start_sample=result.start_sample,
        samples=result.samples,
        trace_id=result.trace_id,
        outcome="error",
        code="internal",
        message=f"the worker's result cannot be sent ({error}); its engine is at fault",
        worker_id=result.worker_id,
        priority=result.priority,
    )


def decode_result(data: bytes) -> SegmentResult:
    """Raises `BadRequest` if the bytes are no result of a version this process understands."""
    return _checked(_result, data, "result")


def encode_takeover(takeover: Takeover) -> bytes:
    """A takeover as the frame to publish."""
    return _TAKEOVER_MARK + _encoder.encode(takeover)


def decode_delivery(frame: bytes) -> LoggedResult | Takeover:
    """What arrived on a results channel. Raises `BadRequest` for any other bytes."""
    if frame.startswith(_TAKEOVER_MARK):
        return _checked(_takeover, frame[1:], "takeover")
    head, mark, body = frame.partition(b":")
    if not mark or not head.isdigit() or len(head) > 18:
        raise BadRequest("a delivery must start with '<offset>:' or '!': publish it through the bus")
    return LoggedResult(offset=int(head), result=decode_result(body))


def _checked(
    decoder: msgspec.msgpack.Decoder[_Message], data: bytes, what: str, newest: int = BUS_VERSION
) -> _Message:
    """Decode; an unknown version is told apart from damage, since only the first is cured by an update."""
    try:
        message = decoder.decode(data)
    except msgspec.MsgspecError as error:
        _refuse_other_versions(data, what, newest)
        raise BadRequest(f"not a {what}: {error}") from error
    if not BUS_VERSION <= message.v <= newest:
        raise _unknown_version(message.v, what, newest)
    return message


def _refuse_other_versions(data: bytes, what: str, newest: int) -> None:
    try:
        version = _version.decode(data).v
    except msgspec.MsgspecError:
        return
    if not BUS_VERSION <= version <= newest:
        raise _unknown_version(version, what, newest)


def _unknown_version(version: int, what: str, newest: int) -> BadRequest:
    return BadRequest(
        f"{what} has bus version {version}, this process speaks {newest}: update the older service"
    )
