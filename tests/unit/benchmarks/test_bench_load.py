"""The load generator's own arithmetic: frames on the wire, which segments are due, how late they came."""

from __future__ import annotations

import random

import pytest

from benchmarks.load.reciter import Arrival
from benchmarks.load.results import (
    ends_of_answered,
    failures,
    order_faults,
    segment_ends,
    session_latencies,
    unanswered,
)
from benchmarks.load.websocket import BINARY, CLOSE, TEXT, FrameReader, frame


def server_frame(opcode: int, payload: bytes, *, finished: bool = True) -> bytes:
    """A frame as servers send it: not masked."""
    size = len(payload)
    head = bytes([(0x80 if finished else 0) | opcode])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65_536:
        return head + bytes([126]) + size.to_bytes(2, "big") + payload
    return head + bytes([127]) + size.to_bytes(8, "big") + payload


@pytest.mark.parametrize(("size", "head"), [(5, 2 + 4), (8000, 4 + 4), (70_000, 10 + 4)])
def test_client_frames_are_masked_with_zeros(size: int, head: int) -> None:
    sent = frame(BINARY, b"x" * size)
    assert sent[0] == 0x82
    assert sent[1] & 0x80
    assert sent[head - 4 : head] == bytes(4)
    assert sent[head:] == b"x" * size


@pytest.mark.parametrize("seed", range(5))
def test_messages_survive_any_cut_of_the_stream(seed: int) -> None:
    wanted = [(TEXT, b"one"), (TEXT, b"y" * 300), (CLOSE, b"\x03\xe8bye"), (BINARY, b"z" * 70_000)]
    stream = b"".join(server_frame(opcode, payload) for opcode, payload in wanted)
    chance, reader, found = random.Random(seed), FrameReader(), []
    while stream:
        size = chance.randint(1, 5000)
        found += list(reader.feed(stream[:size]))
        stream = stream[size:]
    assert found == wanted


def test_fragments_are_joined_and_control_frames_may_come_between() -> None:
    reader = FrameReader()
    data = server_frame(TEXT, b"ab", finished=False) + server_frame(9, b"ping") + server_frame(0, b"cd")
    assert list(reader.feed(data)) == [(9, b"ping"), (TEXT, b"abcd")]


def test_segments_end_where_the_gateway_cuts() -> None:
    assert segment_ends(39_999, 2.5) == []
    assert segment_ends(40_000, 2.5) == [40_000]
    assert segment_ends(16_000 * 7, 2.5) == [40_000, 72_000, 104_000]


def test_latency_runs_from_the_frame_with_the_last_sample() -> None:
    sent_s = [0.25 * place for place in range(18)]  # 4.5 s in frames of 250 ms
    arrivals = [Arrival(0, 2.5, "", 40), Arrival(1, 4.5, "asr_failed", 0)]
    found, due = session_latencies(3, 2.5, 4000, sent_s, arrivals)
    assert due == 2
    assert [(one.session, one.seq, one.inference_ms) for one in found] == [(3, 0, 40)]
    assert found[0].latency_ms == pytest.approx(250)  # the tenth frame went out at 2.25 s


def test_joined_windows_are_as_long_as_their_answers_say() -> None:
    arrivals = [Arrival(0, 2.5, "", 9, 2500), Arrival(1, 7.0, "", 9, 4500), Arrival(2, 9.0, "", 9, 2500)]
    assert ends_of_answered(16_000 * 9, 2.5, arrivals) == [40_000, 104_000, 136_000]
    assert ends_of_answered(16_000 * 11, 2.5, arrivals) == [40_000, 104_000, 136_000, 168_000]
    assert ends_of_answered(16_000 * 9, 2.5, []) == segment_ends(16_000 * 9, 2.5)
    sent_s = [0.25 * place for place in range(36)]
    found, due = session_latencies(0, 2.5, 4000, sent_s, arrivals)
    assert due == 3
    assert found[1].latency_ms == pytest.approx(1000 * (7.0 - 6.25))


def test_missing_double_and_disordered_results_are_counted() -> None:
    arrivals = [Arrival(seq, float(at), "", 0) for at, seq in enumerate((0, 2, 1, 1))]
    assert order_faults(arrivals) == (1, 1)
    assert unanswered(5, arrivals) == 2
    assert unanswered(0, []) == 0
    assert failures([Arrival(0, 1.0, "timeout", 0), Arrival(1, 2.0, "", 9)]) == {"timeout": 1}
