"""The audio buffer against the plainest thing that could be right: one long run of bytes."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.audio_buffer import AudioBuffer


@given(
    sizes=st.lists(st.integers(0, 9000), max_size=12),
    moves=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=12),
    start=st.integers(0, 10**6),
)
def test_it_holds_what_was_appended_and_not_dropped(
    sizes: list[int], moves: list[tuple[float, float]], start: int
) -> None:
    buffer, whole, dropped = AudioBuffer(start), bytearray(), 0
    for turn, size in enumerate(sizes):
        frame = bytes((turn * 7 + at) % 251 for at in range(size))
        buffer.append(frame)
        whole += frame
        held = len(whole) // 2
        if turn < len(moves):
            dropped += int((held - dropped) * moves[turn][0])
            buffer.drop_before(start + dropped)
            first = dropped + int((held - dropped) * moves[turn][1])
            assert buffer.read(start + first, start + held) == whole[2 * first : 2 * held]
        assert (buffer.start, buffer.end) == (start + dropped, start + held)
        assert buffer.read(buffer.start, buffer.end) == whole[2 * dropped : 2 * held]


@pytest.mark.parametrize(("first", "last"), [(9, 12), (10, 15), (13, 11)])
def test_only_what_is_held_can_be_read(first: int, last: int) -> None:
    buffer = AudioBuffer(10)
    buffer.append(bytes(8))
    with pytest.raises(ValueError, match=r"are not in 10\.\.14"):
        buffer.read(first, last)
    with pytest.raises(ValueError, match="has not arrived yet"):
        buffer.drop_before(15)


def test_many_tiny_frames_cost_little_more_than_their_bytes() -> None:
    buffer = AudioBuffer()
    for _ in range(20_000):
        buffer.append(b"\x01\x02")
    assert sum(map(sys.getsizeof, buffer._frames)) < 1.1 * 40_000
    assert buffer.read(0, 20_000) == b"\x01\x02" * 20_000
