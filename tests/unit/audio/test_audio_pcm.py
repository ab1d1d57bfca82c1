"""PCM arithmetic: conversions are exact, levels are right, odd bytes are refused."""

from __future__ import annotations

import numpy as np
import pytest

from shared.audio.pcm import SILENCE_DBFS, frame_levels_dbfs, samples_of, to_float, to_pcm16
from shared.errors import BadAudio


def test_every_sample_value_survives_the_way_to_float_and_back() -> None:
    pcm = np.arange(-32768, 32768, dtype="<i2").tobytes()
    assert to_pcm16(to_float(pcm)) == pcm


def test_float_beyond_full_scale_is_clipped_not_wrapped() -> None:
    assert samples_of(to_pcm16(np.array([1.5, -1.5], np.float32))).tolist() == [32767, -32768]


def test_odd_byte_count_is_bad_audio() -> None:
    with pytest.raises(BadAudio, match="two bytes per sample"):
        to_float(b"\x00\x01\x02")


def test_level_of_a_full_scale_sine_is_minus_three_decibels() -> None:
    sine = np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000).astype(np.float32)
    assert frame_levels_dbfs(sine, sine.size) == pytest.approx([-3.01], abs=0.01)


def test_silence_has_a_finite_level() -> None:
    assert frame_levels_dbfs(np.zeros(100, np.float32), 100).tolist() == [SILENCE_DBFS]


def test_frame_levels_find_the_pause() -> None:
    loud = np.full(1600, 0.5, np.float32)
    levels = frame_levels_dbfs(np.concatenate([loud, np.zeros(1600, np.float32), loud[:100]]), 1600)
    assert levels.tolist() == pytest.approx([-6.02, SILENCE_DBFS, -6.02], abs=0.01)
    assert frame_levels_dbfs(np.zeros(0, np.float32), 10).size == 0
