"""Stationary noise as log-mel powers, without a waveform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rng = np.random.Generator

TABLE_FRAMES = 20_000
SHAPES = (1.0, 4.0)
"""Degrees of freedom of a mel band's power, lowest to highest: wide bands average many bins."""


class NoiseTable:
    """Random frames of flat noise around 0 decades, to be coloured and scaled by the caller."""

    def __init__(self, bands: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shape = np.linspace(*SHAPES, bands)
        power = rng.gamma(shape, 1.0 / shape, (TABLE_FRAMES, bands))
        self._frames = np.log10(np.maximum(power, 1e-4)).astype(np.float32)

    def frames(self, count: int, rng: Rng) -> Floats:
        """``[count, bands]`` of noise."""
        start = int(rng.integers(0, TABLE_FRAMES - count))
        return self._frames[start : start + count]


def coloured(table: NoiseTable, count: int, bands: int, rng: Rng) -> Floats:
    """A noise of random level and colour, at times with hum, clicks or swelling."""
    place = np.linspace(0.0, 1.0, bands)
    level = rng.uniform(-7.0, 0.5) + rng.uniform(-3.0, 0.5) * place
    level += rng.normal(0.0, 0.3) * np.cos(np.pi * place * rng.uniform(1.0, 4.0))
    if rng.random() < 0.3:
        hum = int(rng.integers(0, bands // 4))
        level[hum : hum + 2] += rng.uniform(0.5, 3.0)
    made = table.frames(count, rng) + level.astype(np.float32)
    if rng.random() < 0.3:
        swell = rng.uniform(0.1, 0.6) * np.sin(np.arange(count) * rng.uniform(0.01, 0.3))
        made += swell.astype(np.float32)[:, None]
    for _ in range(rng.integers(0, 3)):
        moment = int(rng.integers(0, count))
        made[moment : moment + int(rng.integers(1, 4))] += np.float32(rng.uniform(0.5, 2.5))
    return made
