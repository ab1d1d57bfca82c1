"""What the samples of a window say about the sound itself: how loud, how steady, cut off at the top or not.

Taken where the samples (or their features) are, in the worker: so it travels with what was heard, and a
replay finds the same.
"""

from __future__ import annotations

from math import log10
from typing import Final

import numpy as np

from shared.audio.features import FeatureConfig, band_widths, frame_energy
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import SILENCE_DBFS, Floats
from shared.hearing import SoundFacts

_FRAME: Final = SAMPLE_RATE // 50
"""20 ms, as in the silence gate."""
_TOP: Final = 0.98
"""A sample within this share of the loudest one is at the top. Speech that is not clipped has next to none
there, however loud; of clipped speech it is a tenth and more."""
_LOUD: Final = 0.25
"""Sound whose loudest sample is below this share of full scale is not clipped by anything we know."""
_QUIET_SHARE: Final = 0.1
"""This quantile of the levels is the background."""
_NOTHING: Final = 10.0 ** (SILENCE_DBFS / 10)


def sound_facts(samples: Floats) -> SoundFacts:
    """The facts of one window, float samples in [-1, 1)."""
    if not samples.size:
        return SoundFacts()
    top = float(max(samples.max(), -samples.min()))
    clipped = 0.0
    if top >= _LOUD:
        at_top = np.count_nonzero(samples >= _TOP * top) + np.count_nonzero(samples <= -_TOP * top)
        clipped = round(float(at_top) / samples.size, 3)
    return _facts(clipped, _powers(samples))


def feature_facts(logs: Floats, config: FeatureConfig) -> SoundFacts:
    """The facts of a window of which only log-mel powers `[frames, n_mels]` came; they do not show whether it
    is clipped."""
    if not logs.size:
        return SoundFacts()
    # The sum of a spectrum's power is that of its samples' squares (Parseval).
    powers: Floats = np.sort(
        np.power(np.float32(10), logs) @ band_widths(config) / np.float32(frame_energy(config))
    )
    return _facts(0.0, powers)


def _facts(clipped: float, powers: Floats) -> SoundFacts:
    return SoundFacts(
        clipped,
        _dbfs(powers[-1]),
        _dbfs(powers[powers.size // 2]),
        _dbfs(powers[int(_QUIET_SHARE * powers.size)]),
    )


def _powers(samples: Floats) -> Floats:
    """Mean squares of every whole 20 ms, rising; of a shorter sound, of all."""
    frame = min(_FRAME, samples.size)
    rows = samples[: samples.size // frame * frame].reshape(-1, frame)
    powers: Floats = np.sort(np.einsum("ij,ij->i", rows, rows) / frame)
    return powers


def _dbfs(power: float) -> float:
    return round(10 * log10(max(float(power), _NOTHING)))
