"""The gate hears sound, not the offset of a microphone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.session.silence_gate import is_silent

SECONDS = 2


def _pcm(samples: NDArray[np.float64]) -> bytes:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def _tone(hz: float, dbfs: float) -> NDArray[np.float64]:
    time_s = np.arange(SECONDS * 16_000) / 16_000
    return np.asarray(np.sqrt(2) * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time_s))


@pytest.mark.parametrize("offset", [0.05, -0.3, 0.9])
def test_a_constant_offset_is_silent(offset: float) -> None:
    noise = np.random.default_rng(3).integers(-1, 2, SECONDS * 16_000) / 32768
    assert is_silent(_pcm(offset + noise), -60.0)


@pytest.mark.parametrize("offset", [0.0, 0.05, -0.3])
@pytest.mark.parametrize("hz", [80, 120, 200, 3000])
def test_a_voice_is_heard_whatever_the_offset(hz: float, offset: float) -> None:
    assert not is_silent(_pcm(offset + _tone(hz, -59)), -60.0)


@pytest.mark.parametrize("offset", [0.0, 0.05, -0.3])
def test_what_is_below_the_gate_stays_below_it(offset: float) -> None:
    assert is_silent(_pcm(offset + _tone(200, -62)), -60.0)
