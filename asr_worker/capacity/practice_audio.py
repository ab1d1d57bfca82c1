"""A sound that keeps the whole engine busy: for warming up and for measuring, before anybody recites.

Noise does not: the phoneme head hears nothing in it and the decoder is not asked
(`asr_worker.engines.voice_gate`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.audio.formats import SAMPLE_RATE

PITCH_HZ = 120
SYLLABLE_S = 0.25
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240))
"""The first three formants of a, i and u, Hz (Peterson and Barney 1952, men)."""
BANDWIDTH_HZ = 90.0
LOUDNESS = 0.1


def syllables(seconds: float) -> NDArray[np.float32]:
    """Vowels a, i, u in turn, four a second, each after a short hiss; always the same samples."""
    time_s = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    place, since_s = np.divmod(time_s, SYLLABLE_S)
    sound = np.zeros(time_s.size)
    for harmonic in range(1, SAMPLE_RATE // 2 // PITCH_HZ):
        hertz = harmonic * PITCH_HZ
        gains = np.array(
            [sum(1 / (1 + ((hertz - f) / BANDWIDTH_HZ) ** 2) for f in vowel) for vowel in VOWELS]
        )
        sound += gains[place.astype(int) % len(VOWELS)] * np.sin(2 * np.pi * hertz * time_s)
    rising = np.clip(since_s / 0.05 - 1, 0, 1)
    hiss = np.random.default_rng(1).normal(size=time_s.size) * (since_s < 0.05)
    mixed = sound / max(1e-9, np.abs(sound).max(initial=0.0)) * rising + 0.1 * hiss
    samples: NDArray[np.float32] = (LOUDNESS * mixed).astype(np.float32)
    return samples
