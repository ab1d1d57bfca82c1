"""Channels are taken apart the same, however the bytes were cut."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.deinterleave import Deinterleaver


@given(
    channels=st.integers(1, 8),
    sample_bytes=st.sampled_from([1, 2, 4]),
    data=st.binary(max_size=200),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_each_channel_has_its_own_samples(
    channels: int, sample_bytes: int, data: bytes, cuts: list[int]
) -> None:
    apart = Deinterleaver(channels, sample_bytes)
    found = [b""] * channels
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        found = [before + more for before, more in zip(found, apart.feed(data[start:end]), strict=True)]
    whole = len(data) // (channels * sample_bytes)
    for channel, got in enumerate(found):
        firsts = [(at * channels + channel) * sample_bytes for at in range(whole)]
        assert got == b"".join(data[first : first + sample_bytes] for first in firsts)


def test_two_voices_in_stereo() -> None:
    stereo = np.array([[1, -1], [2, -2], [3, -3]], "<i2").tobytes()
    left, right = Deinterleaver(2, 2).feed(stereo)
    assert np.frombuffer(left, "<i2").tolist() == [1, 2, 3]
    assert np.frombuffer(right, "<i2").tolist() == [-1, -2, -3]
