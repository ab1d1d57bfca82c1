"""Bus messages survive the trip, damaged or foreign ones get a named error."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from shared.errors import BadRequest
from shared.hearing import HeardWord, Phone
from shared.ids import ConnectionId, Epoch, PoolName, SessionId, TraceId, WorkerId
from shared.protocol import codec
from shared.protocol.segments import (
    LoggedResult,
    Segment,
    SegmentResult,
    StageTimings,
    Takeover,
    TaskOptions,
)

SEGMENT = Segment(
    session_id=SessionId("s-1"),
    connection_id=ConnectionId("c-1"),
    epoch=Epoch("e"),
    seq=3,
    start_sample=96_000,
    samples=4,
    audio=bytes(range(8)),
    pool=PoolName("default"),
    trace_id=TraceId("t"),
    created_ms=1_700_000_000_000,
    deadline_ms=1_700_000_005_000,
    priority="final",
    options=TaskOptions(word_timestamps=True),
)
RESULT = SegmentResult(
    session_id=SEGMENT.session_id,
    connection_id=SEGMENT.connection_id,
    epoch=SEGMENT.epoch,
    seq=3,
    start_sample=96_000,
    samples=4,
    trace_id=SEGMENT.trace_id,
    outcome="result",
    text="بِسْمِ اللَّهِ",
    words=(HeardWord("بِسْمِ", 0, 400, 0.9), HeardWord("اللَّهِ")),
    phones=(Phone("b", 0, 90, 0.99, (("m", 0.01),)),),
    timings=StageTimings(queued_ms=4, batch_ms=2, inference_ms=38),
    batch_size=7,
    worker_id=WorkerId("w"),
)


def test_segment_and_result_survive_the_trip() -> None:
    assert codec.decode_segment(codec.encode_segment(SEGMENT)) == SEGMENT
    assert codec.decode_result(codec.encode_result(RESULT)) == RESULT


def test_a_delivery_is_a_result_with_its_offset_or_a_takeover() -> None:
    published = b"17:" + codec.encode_result(RESULT)  # as the commit script does it
    assert codec.decode_delivery(published) == LoggedResult(17, RESULT)
    takeover = Takeover(session_id=SEGMENT.session_id, by=ConnectionId("c-2"))
    assert codec.decode_delivery(codec.encode_takeover(takeover)) == takeover


def test_fields_of_a_newer_service_are_ignored() -> None:
    grown = msgspec.msgpack.decode(codec.encode_result(RESULT)) | {"new_field": [1, 2]}
    assert codec.decode_result(msgspec.msgpack.encode(grown)) == RESULT


@pytest.mark.parametrize("change", [{}, {"audio": 5}], ids=["same shape", "other shape"])
def test_another_version_is_named(change: dict[str, object]) -> None:
    other = msgspec.msgpack.decode(codec.encode_segment(SEGMENT)) | {"v": 3, **change}
    with pytest.raises(BadRequest, match="bus version 3"):
        codec.decode_segment(msgspec.msgpack.encode(other))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01", codec.encode_segment(SEGMENT)[:-3], b"\x01"])
def test_damaged_bytes_are_a_bad_request(data: bytes) -> None:
    with pytest.raises(BadRequest, match="not a segment"):
        codec.decode_segment(data)


@pytest.mark.parametrize("frame", [b"", b"abc", b"12", b"-1:x", b"1:", b"!", b"9" * 30 + b":x", b"\xff:\x00"])
def test_foreign_deliveries_are_a_bad_request(frame: bytes) -> None:
    with pytest.raises(BadRequest):
        codec.decode_delivery(frame)


class SegmentBefore(msgspec.Struct, frozen=True):
    """A segment as workers before traces read it."""

    session_id: SessionId
    connection_id: ConnectionId
    epoch: Epoch
    seq: int
    start_sample: int
    samples: int
    audio: bytes
    pool: PoolName
    trace_id: TraceId
    created_ms: int
    deadline_ms: int
    codec: str = "pcm16"
    priority: str = "partial"
    options: TaskOptions = TaskOptions()
    v: int = 1


def test_a_traced_segment_is_read_by_workers_that_know_no_traces() -> None:
    traced = msgspec.structs.replace(SEGMENT, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    read = msgspec.msgpack.decode(codec.encode_segment(traced), type=SegmentBefore)
    fields = SegmentBefore.__struct_fields__
    assert [getattr(read, name) for name in fields] == [getattr(SEGMENT, name) for name in fields]
    assert codec.decode_segment(codec.encode_segment(traced)) == traced


def test_a_segment_of_a_gateway_that_knows_no_traces_is_read() -> None:
    before = SegmentBefore(*(getattr(SEGMENT, name) for name in SegmentBefore.__struct_fields__))
    assert codec.decode_segment(msgspec.msgpack.encode(before)) == SEGMENT


def test_what_is_not_traced_costs_no_byte() -> None:
    assert "traceparent" not in msgspec.msgpack.decode(codec.encode_segment(SEGMENT))
    assert "traceparent" not in msgspec.msgpack.decode(codec.encode_result(RESULT))


def test_a_result_that_cannot_be_encoded_is_answered_as_an_error_of_its_segment() -> None:
    """An engine of somebody else may give numbers that are none of Python: its neighbours must not suffer."""
    strange: Any = np.float64(0.9)
    wrong = msgspec.structs.replace(RESULT, phones=(Phone("a", 0, 90, strange),))
    answered = codec.decode_result(codec.encode_result(wrong))
    assert (answered.outcome, answered.code) == ("error", "internal")
    assert "float64" in answered.message
    assert (answered.session_id, answered.seq, answered.epoch) == (RESULT.session_id, 3, RESULT.epoch)
    assert answered.samples == RESULT.samples
