"""Where speech is, by the real detector on a real voice, and how windows are made of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr_worker.offline.chunking import Chunk
from asr_worker.offline.speech_windows import JOINED_PAUSE_S, find_speech, joined
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import samples_of

SAMPLE = Path(__file__).parents[3] / "samples" / "morning.opus"
LONGEST = 30 * SAMPLE_RATE


def test_speech_is_found_and_silence_is_not() -> None:
    spoken = samples_of(decode_file(SAMPLE))
    silence = np.zeros(8 * SAMPLE_RATE, np.int16)
    found = find_speech(np.concatenate([silence, spoken, silence]), 30.0)
    assert found[0].start > 7 * SAMPLE_RATE
    assert found[-1].end < silence.size + spoken.size + SAMPLE_RATE
    assert sum(span.end - span.start for span in found) > spoken.size / 2
    assert find_speech(silence, 30.0) == []
    assert find_speech(silence[:0], 30.0) == []


def test_speech_longer_than_a_window_is_cut() -> None:
    spoken = samples_of(decode_file(SAMPLE))
    found = find_speech(np.concatenate([spoken] * 3), 4.0)
    assert len(found) > 3
    assert all(span.end - span.start <= 4 * SAMPLE_RATE for span in found)


def test_near_stretches_share_a_window_and_far_ones_do_not() -> None:
    second = SAMPLE_RATE
    near, far = int(JOINED_PAUSE_S) * second, int(JOINED_PAUSE_S + 1) * second
    speech = [Chunk(0, second), Chunk(second + near, 3 * second + near)]
    far_one = Chunk(speech[1].end + far, speech[1].end + far + second)
    assert joined([*speech, far_one], LONGEST) == [Chunk(0, speech[1].end), far_one]


@given(
    st.lists(st.tuples(st.integers(0, 5 * SAMPLE_RATE), st.integers(1, 40 * SAMPLE_RATE)), max_size=12),
    st.integers(SAMPLE_RATE, LONGEST),
)
def test_windows_cover_all_speech_in_order_without_overlap(
    lengths: list[tuple[int, int]], longest: int
) -> None:
    speech, at = [], 0
    for pause, length in lengths:
        speech.append(Chunk(at + pause, at + pause + length))
        at = speech[-1].end
    windows = joined(speech, longest)
    assert all(0 < window.end - window.start <= longest for window in windows)
    assert all(one.end <= other.start for one, other in itertools.pairwise(windows))
    for span in speech:
        covered = sum(max(0, min(window.end, span.end) - max(window.start, span.start)) for window in windows)
        assert covered == span.end - span.start
