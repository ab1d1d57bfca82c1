"""Longer or higher sound: the other of the two stays."""

from __future__ import annotations

import numpy as np
import pytest

from training.audio import SAMPLE_RATE, Floats
from training.stretch import raised, stretch

FRAME_IN = 800
"""Samples at either end that are faded in and out."""


def tone(hertz: float, seconds: float = 1.0) -> Floats:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sin(2 * np.pi * hertz * time).astype(np.float32)


def pitch(samples: Floats) -> float:
    """The loudest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.fft.rfftfreq(samples.size, 1 / SAMPLE_RATE)[spectrum.argmax()])


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_a_stretched_tone_is_longer_and_as_high(factor: float) -> None:
    heard = stretch(tone(220), factor)
    assert heard.size == round(SAMPLE_RATE * factor)
    assert pitch(heard) == pytest.approx(220, abs=5)
    assert 0.6 < heard[FRAME_IN:-FRAME_IN].std() < 0.8


@pytest.mark.parametrize("ratio", [1.2, 1.45])
def test_a_raised_tone_is_higher_and_as_long(ratio: float) -> None:
    heard = raised(tone(200), ratio)
    assert abs(heard.size - SAMPLE_RATE) <= 2
    assert pitch(heard) == pytest.approx(200 * ratio, rel=0.03)


def test_what_is_said_stays_where_it_was() -> None:
    clicks = np.zeros(2 * SAMPLE_RATE, np.float32)
    clicks[8000:8800] = tone(300, 0.05)
    clicks[24000:24800] = tone(300, 0.05)
    loud = np.abs(raised(clicks, 1.3)) > 0.3
    places = np.flatnonzero(loud)
    assert abs(places[places < 16000].mean() - 8400) < 500
    assert abs(places[places > 16000].mean() - 24400) < 500


def test_very_short_sound_is_only_filled_up() -> None:
    assert stretch(tone(220, 0.02), 1.5).size == 480
