"""Where windows begin and end: a function of the audio alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.session.fixed_windows import FixedWindows
from gateway.session.segmenter import Position, Window, WindowPolicy
from shared.audio.formats import SAMPLE_RATE

WINDOW, OVERLAP, REST = 1000, 200, 80
NO_GATE = WindowPolicy(silence_dbfs=-120, min_rest=REST)


def noise(samples: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).integers(-9000, 9000, samples, dtype="<i2").tobytes()


def new_intake(policy: WindowPolicy = NO_GATE) -> FixedWindows:
    return FixedWindows(Position(WINDOW, OVERLAP), policy)


def drain(intake: FixedWindows) -> list[Window]:
    windows = []
    while window := intake.cut():
        windows.append(window)
    return windows


def whole(pcm: bytes) -> list[Window]:
    intake = new_intake()
    intake.feed(pcm)
    intake.end()
    return drain(intake)


@settings(max_examples=60)
@given(st.data())
def test_any_chunking_of_the_same_audio_gives_the_same_windows(data: st.DataObject) -> None:
    pcm = noise(data.draw(st.integers(0, 6000)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pcm)), max_size=30)))
    intake, windows = new_intake(), []
    for start, end in zip([0, *cuts], [*cuts, len(pcm)], strict=True):
        intake.feed(pcm[start:end])
        # A window that ends with the last sample is the final one only if the end is known when it is cut.
        if data.draw(st.booleans()) and end < len(pcm):
            windows += drain(intake)
    intake.end()
    assert windows + drain(intake) == whole(pcm)


@settings(max_examples=60)
@given(samples=st.integers(0, 8000))
def test_windows_cover_everything_once_and_number_without_holes(samples: int) -> None:
    pcm = noise(samples)
    windows = whole(pcm)
    assert b"".join(window.fresh for window in windows) == pcm
    assert [window.final for window in windows] == [False] * (len(windows) - 1) + [True]
    seqs = [window.seq for window in windows if window.seq is not None]
    assert seqs == list(range(len(seqs)))
    assert windows[-1].after.ended
    assert windows[-1].after.cut == samples
    for window in windows:
        assert window.pcm == pcm[window.start_sample * 2 : window.after.cut * 2]
        assert len(window.pcm) <= WINDOW * 2


@settings(max_examples=60)
@given(data=st.data(), samples=st.integers(1, 6000))
def test_a_resumed_intake_goes_on_with_the_same_windows(data: st.DataObject, samples: int) -> None:
    pcm = noise(samples)
    windows = whole(pcm)
    stop = data.draw(st.integers(0, len(windows) - 1))
    position = windows[stop].after
    resumed = FixedWindows(position, NO_GATE, pcm[position.next_start * 2 : position.cut * 2])
    resumed.feed(pcm[resumed.received * 2 :])
    resumed.end()
    assert drain(resumed) == windows[stop + 1 :]


def test_without_stored_audio_the_overlap_is_fed_again() -> None:
    pcm = noise(5000)
    windows = whole(pcm)
    position = windows[1].after
    resumed = FixedWindows(position, NO_GATE)
    assert resumed.received == position.next_start
    resumed.feed(pcm[resumed.received * 2 :])
    resumed.end()
    assert drain(resumed) == windows[2:]


def test_a_byte_of_an_odd_frame_waits_for_its_other_half() -> None:
    pcm = noise(WINDOW)
    intake = new_intake()
    intake.feed(pcm[:-1])
    assert intake.cut() is None
    intake.feed(pcm[-1:])
    window = intake.cut()
    assert window is not None
    assert window.pcm == pcm


@pytest.mark.parametrize(
    ("fed", "expected"),
    [(500, [500]), (REST, [REST]), (REST - 1, []), (0, []), (1500, [1000, 1500])],
)
def test_flush_cuts_what_is_there(fed: int, expected: list[int]) -> None:
    intake = new_intake()
    intake.feed(noise(fed))
    intake.flush()
    assert [window.after.cut for window in drain(intake)] == expected
    intake.feed(noise(3000))
    assert [window.after.cut - window.start_sample for window in drain(intake)][-1] == WINDOW


def test_a_short_rest_is_stored_but_not_decoded() -> None:
    windows = whole(noise(REST - 1))
    assert [(window.seq, window.final) for window in windows] == [(None, True)]
    assert len(windows[0].fresh) // 2 == REST - 1


@pytest.mark.parametrize("rest", [noise(REST - 1), b"", bytes(2 * REST)])
def test_what_was_heard_ends_with_a_segment_however_little_follows(rest: bytes) -> None:
    """Its result settles the last words: nothing else would say that no more comes."""
    intake = new_intake()
    intake.feed(noise(WINDOW))
    heard = drain(intake)
    intake.feed(rest)
    intake.end()
    closing = drain(intake)
    assert [(window.seq, window.final) for window in (*heard, *closing)] == [(0, False), (1, True)]
    assert closing[-1].after.final_seq == 1
    assert closing[-1].fresh == rest


def test_nothing_but_silence_has_no_segment() -> None:
    intake = new_intake(WindowPolicy(silence_dbfs=-60, min_rest=REST))
    intake.feed(bytes(6 * WINDOW))
    intake.end()
    assert {window.seq for window in drain(intake)} == {None}


def test_silent_windows_take_no_seq() -> None:
    intake = new_intake(WindowPolicy(silence_dbfs=-60, min_rest=REST))
    intake.feed(noise(WINDOW) + bytes(4 * WINDOW) + noise(WINDOW))
    intake.end()
    windows = drain(intake)
    assert [window.seq for window in windows if not window.silent] == [0, 1, 2, 3][
        : windows[-1].after.next_seq
    ]
    assert any(window.silent and window.seq is None for window in windows)


def test_speech_that_is_too_quiet_is_decoded_and_told() -> None:
    """What is not heard in it is then not judged; a window that nobody hears would be a pause."""
    intake = FixedWindows(Position(SAMPLE_RATE, 0), WindowPolicy())
    steps = np.random.default_rng(1).normal(scale=3e-5 * 32768, size=5 * SAMPLE_RATE)
    swell = np.maximum(0, np.sin(2 * np.pi * 1.5 * np.arange(steps.size) / SAMPLE_RATE))
    intake.feed(np.rint(2 * steps * swell).astype("<i2").tobytes())
    intake.end()
    windows = drain(intake)
    assert [window.seq for window in windows] == [0, 1, 2, 3, 4]
    assert {window.silent for window in windows} == {False}
    assert [window.too_quiet for window in windows].count(True) == 1


def test_audio_after_the_end_is_ignored() -> None:
    intake = new_intake()
    intake.feed(noise(100))
    intake.end()
    intake.feed(noise(5000))
    assert intake.received == 100


@pytest.mark.parametrize("position", [Position(0, 0), Position(100, 100), Position(100, -1)])
def test_a_window_must_be_longer_than_its_overlap(position: Position) -> None:
    with pytest.raises(ValueError, match="overlap"):
        FixedWindows(position, NO_GATE)


LONGEST = 3000


@settings(max_examples=80)
@given(data=st.data(), samples=st.integers(0, 9000))
def test_windows_that_waited_become_one_and_nothing_is_left_out(data: st.DataObject, samples: int) -> None:
    pcm = noise(samples)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pcm)), max_size=8)))
    intake, windows = new_intake(), []
    for start, end in zip([0, *cuts], [*cuts, len(pcm)], strict=True):
        intake.feed(pcm[start:end])
        if data.draw(st.booleans()):
            window = intake.cut(data.draw(st.sampled_from([0, LONGEST])))
            windows += [window] if window else []
    intake.end()
    while window := intake.cut(LONGEST):
        windows.append(window)
    assert b"".join(window.fresh for window in windows) == pcm
    assert [window.final for window in windows] == [False] * (len(windows) - 1) + [True]
    for before, after in pairwise(windows):
        assert after.start_sample == before.after.next_start
    assert all(len(window.pcm) <= LONGEST * 2 for window in windows)
    seqs = [window.seq for window in windows if window.seq is not None]
    assert seqs == list(range(len(seqs)))


def test_a_joined_window_ends_where_one_of_them_would_have() -> None:
    intake = new_intake()
    intake.feed(noise(WINDOW + 4 * (WINDOW - OVERLAP) + 300))
    joined, after = intake.cut(LONGEST), intake.cut()
    assert joined is not None
    assert after is not None
    assert (joined.start_sample, joined.after.cut) == (0, 2600)
    assert (after.start_sample, after.after.cut) == (2400, 3400)


@pytest.mark.parametrize("longest", [0, WINDOW - 1, WINDOW, WINDOW + 799])
def test_one_window_stays_one_window(longest: int) -> None:
    pcm = noise(5000)
    intake, windows = new_intake(), []
    intake.feed(pcm)
    intake.end()
    while window := intake.cut(longest):
        windows.append(window)
    assert windows == whole(pcm)


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_resume_after_a_joined_window_goes_on_with_the_same_audio(stop: int) -> None:
    pcm = noise(7000)
    intake, windows = new_intake(), []
    intake.feed(pcm)
    intake.end()
    while window := intake.cut(LONGEST):
        windows.append(window)
    position = windows[stop].after
    resumed = FixedWindows(position, NO_GATE, pcm[position.next_start * 2 : position.cut * 2])
    resumed.feed(pcm[resumed.received * 2 :])
    resumed.end()
    rest = []
    while window := resumed.cut(LONGEST):
        rest.append(window)
    assert rest == windows[stop + 1 :]


def test_a_flush_is_not_joined_with_what_comes_after() -> None:
    intake = new_intake()
    intake.feed(noise(500))
    intake.flush()
    intake.feed(noise(4000))
    window = intake.cut(LONGEST)
    assert window is not None
    assert window.after.cut == 500
