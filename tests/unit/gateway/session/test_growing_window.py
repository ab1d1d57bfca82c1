"""Growing windows: a step more each time, from what was confirmed; every sample stored once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.session.growing_window import LEAD_IN, GrowingWindow
from gateway.session.segmenter import Position, Window, WindowPolicy
from shared.audio.formats import SAMPLE_RATE

STEP, LONGEST = SAMPLE_RATE, 8 * SAMPLE_RATE
POLICY = WindowPolicy()


def noise(seconds: float, level: int = 3000) -> bytes:
    samples = np.random.default_rng(1).integers(-level, level, round(seconds * SAMPLE_RATE))
    return samples.astype("<i2").tobytes()


def cut_all(segmenter: GrowingWindow) -> list[Window]:
    windows = []
    while window := segmenter.cut():
        windows.append(window)
    return windows


def spans(windows: list[Window]) -> list[tuple[float, float]]:
    """Beginning and end of the decoded ones, seconds."""
    decoded = [window for window in windows if window.seq is not None]
    return [(w.start_sample / SAMPLE_RATE, (w.start_sample + len(w.pcm) // 2) / SAMPLE_RATE) for w in decoded]


def test_each_look_takes_in_a_step_more() -> None:
    segmenter, windows = GrowingWindow(Position(STEP, LONGEST), POLICY), []
    for _ in range(3):
        segmenter.feed(noise(1))
        windows += cut_all(segmenter)
    assert spans(windows) == [(0, 1), (0, 2), (0, 3)]
    assert [window.final for window in windows] == [False] * 3


def test_the_next_look_begins_at_what_was_confirmed() -> None:
    segmenter = GrowingWindow(Position(STEP, LONGEST), POLICY)
    segmenter.feed(noise(2))
    cut_all(segmenter)
    segmenter.confirm(SAMPLE_RATE)
    segmenter.feed(noise(1))
    assert spans(cut_all(segmenter)) == [(1, 3)]


def test_a_little_is_kept_for_the_last_look() -> None:
    segmenter = GrowingWindow(Position(STEP, LONGEST), POLICY)
    segmenter.feed(noise(2))
    cut_all(segmenter)
    segmenter.confirm(2 * SAMPLE_RATE)
    segmenter.end()
    windows = cut_all(segmenter)
    assert spans(windows) == [(2 - LEAD_IN / SAMPLE_RATE, 2)]
    assert windows[0].final
    assert windows[0].after.final_seq == windows[0].seq


def test_what_nobody_confirms_is_cut_at_a_quiet_moment() -> None:
    segmenter = GrowingWindow(Position(STEP, LONGEST), POLICY)
    segmenter.feed(noise(6.5) + bytes(2 * 1600) + noise(3))
    windows = cut_all(segmenter)
    begin, end = spans(windows)[0]
    assert begin == 0
    assert 6.5 <= end <= 6.6
    assert windows[0].final
    assert windows[0].after.next_start == windows[0].after.cut


def test_a_flush_is_a_last_look() -> None:
    segmenter = GrowingWindow(Position(STEP, LONGEST), POLICY)
    segmenter.feed(noise(1.3))
    cut_all(segmenter)
    segmenter.flush()
    windows = cut_all(segmenter)
    assert spans(windows) == [(0, 1.3)]
    assert windows[0].final


def test_silence_before_speech_costs_nothing_and_its_end_is_kept() -> None:
    segmenter = GrowingWindow(Position(STEP, LONGEST), POLICY)
    segmenter.feed(bytes(2 * 3 * SAMPLE_RATE))
    assert spans(cut_all(segmenter)) == []
    assert segmenter.position.next_start == segmenter.position.cut - LEAD_IN


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 40_000), min_size=1, max_size=12),
    confirms=st.lists(st.floats(0, 1), max_size=12),
)
def test_every_sample_is_stored_once(lengths: list[int], confirms: list[float]) -> None:
    segmenter, windows, sent = GrowingWindow(Position(STEP, LONGEST), POLICY), [], b""
    for place, length in enumerate(lengths):
        pcm = noise(length / SAMPLE_RATE)
        sent += pcm
        segmenter.feed(pcm)
        windows += cut_all(segmenter)
        if place < len(confirms):
            segmenter.confirm(int(confirms[place] * segmenter.position.cut))
    segmenter.end()
    windows += cut_all(segmenter)
    assert b"".join(window.fresh for window in windows) == sent
    assert windows[-1].after.ended
    assert all(window.pcm.endswith(window.fresh) for window in windows)
    assert all(len(window.pcm) // 2 <= LONGEST for window in windows)


def test_silence_within_short_windows_is_cut_once() -> None:
    """A window that is cut at its quietest moment always gets on, however short windows may be."""
    longest = 2 * SAMPLE_RATE
    segmenter = GrowingWindow(Position(longest, longest), POLICY)
    segmenter.feed(bytes(2 * 6 * SAMPLE_RATE))
    windows: list[Window] = []
    while (window := segmenter.cut()) and len(windows) < 100:
        windows.append(window)
    assert len(windows) < 10
    assert windows[-1].after.cut > 4 * SAMPLE_RATE
