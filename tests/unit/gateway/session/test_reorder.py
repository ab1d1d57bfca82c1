"""Results strictly by seq, whatever order and how often they arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.session.reorder import MAX_HELD, ReorderBuffer
from shared.ids import ConnectionId, Epoch, SessionId, TraceId
from shared.protocol.segments import LoggedResult, SegmentResult


def result(seq: int) -> SegmentResult:
    return SegmentResult(
        SessionId("session-1"), ConnectionId("c"), Epoch("e"), seq, seq * 10, 10, TraceId("t"), "result"
    )


def logged(offset: int, seq: int) -> LoggedResult:
    return LoggedResult(offset, result(seq))


@given(st.permutations(range(12)), st.data())
def test_every_result_once_and_in_order(log: list[int], data: st.DataObject) -> None:
    entries = [logged(offset, seq) for offset, seq in enumerate(log, start=1)]
    arrivals = entries + data.draw(st.lists(st.sampled_from(entries), max_size=20))
    order = ReorderBuffer()
    released = []
    for arrival in data.draw(st.permutations(arrivals)):
        released += [released_result.seq for released_result in order.accept(arrival)]
    assert released == list(range(12))
    assert order.log_top == 12


@given(st.permutations(range(10)), st.integers(0, 10))
def test_reading_the_log_from_replay_from_misses_nothing(log: list[int], stop: int) -> None:
    entries = [logged(offset, seq) for offset, seq in enumerate(log, start=1)]
    first = ReorderBuffer()
    released = [r.seq for entry in entries[:stop] for r in first.accept(entry)]
    second = ReorderBuffer(first.next_seq, first.replay_from)
    rest = [entry for entry in entries if entry.offset > first.replay_from]
    released += [r.seq for entry in rest for r in second.accept(entry)]
    assert released == list(range(10))


def test_a_result_far_ahead_is_left_to_the_log() -> None:
    order = ReorderBuffer()
    assert order.accept(logged(1, MAX_HELD)) == []
    assert order.log_top == 0


def test_a_new_log_starts_at_offset_zero() -> None:
    order = ReorderBuffer()
    order.accept(logged(1, 0))
    order.start_new_log(1)
    assert (order.log_top, order.replay_from, order.next_seq) == (0, 0, 1)
    assert [r.seq for r in order.accept(logged(1, 1))] == [1]
