"""Changes made in the feature domain, batch by batch: cheap, so no two epochs are alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.audio.features import DYNAMIC_RANGE
from training.noise import NoiseTable

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Rng = np.random.Generator

DIGITAL_SILENCE = -10.0
USUAL_HOP_S = 0.02
LONG_FRAMES = 500
STOCK_PADDING_SHARES = (0.15, 0.6)
"""How many windows of up to and over ``LONG_FRAMES`` of 20 ms are padded with zero features, as
faster-whisper does, not with zero samples."""


def warp_bands(logs: Floats, rng: Rng) -> Floats:
    """Stretch the mel axis by up to +-12 %: shorter and longer vocal tracts."""
    count, _, bands = logs.shape
    factor = np.exp(np.clip(rng.normal(0.0, 0.05, (count, 1)), -0.12, 0.12))
    at = np.clip(np.arange(bands)[None] * factor, 0, bands - 1)
    low = np.minimum(at.astype(np.int64), bands - 2)
    share = (at - low).astype(np.float32)[:, None, :]
    below = np.take_along_axis(logs, low[:, None, :], axis=2)
    above = np.take_along_axis(logs, low[:, None, :] + 1, axis=2)
    warped: Floats = below + share * (above - below)
    return warped


def colour(logs: Floats, rng: Rng) -> Floats:
    """Gain and a smooth spectral curve, in decades."""
    count, _, bands = logs.shape
    place = np.linspace(-1.0, 1.0, bands)[None]
    gain = rng.normal(-0.2, 0.5, (count, 1))
    tilt = rng.normal(0.0, 0.25, (count, 1)) * place
    ripple = rng.normal(0.0, 0.12, (count, 1)) * np.cos(
        np.pi * place * rng.uniform(1, 3, (count, 1)) + rng.uniform(0, 6.3, (count, 1))
    )
    return logs + (gain + tilt + ripple).astype(np.float32)[:, None, :]


SUM_STEPS = 64
SUM_TABLE = np.log10(1.0 + 10.0 ** -(np.arange(6 * SUM_STEPS) / SUM_STEPS)).astype(np.float32)
"""log10(1 + 10 ** -x) for x from 0 to 6 in steps of 1/64: adding powers without powers."""


def _add_powers(logs: Floats, floor: Floats) -> Floats:
    distance = np.abs(logs - floor) * SUM_STEPS
    index = np.minimum(distance, len(SUM_TABLE) - 1).astype(np.int16)
    total: Floats = np.maximum(logs, floor) + SUM_TABLE[index]
    return total


def noise_floor(logs: Floats, noise: NoiseTable, rng: Rng) -> None:
    """Add noise power to half of the windows, 1.5 to 6 decades below their loudest cell."""
    slope = np.linspace(0.0, 1.0, logs.shape[2], dtype=np.float32)
    for window in logs:
        if rng.random() < 0.5:
            continue
        level = np.float32(window.max() - rng.uniform(1.5, 6.0))
        colour_ = level + np.float32(rng.uniform(-2.5, 0.3)) * slope
        floor = noise.frames(len(window), rng) + colour_
        window[:] = _add_powers(window, floor)


def mask(logs: Floats, rng: Rng, finer: int = 1) -> None:
    """SpecAugment: up to two bands and two moments of each window set to its mean.

    A moment has up to 8 frames, ``finer`` times as many where frames are that much shorter.
    """
    for window in logs:
        if rng.random() < 0.3:
            continue
        mean = window.mean()
        for _ in range(rng.integers(0, 3)):
            width, start = rng.integers(2, 12), rng.integers(0, logs.shape[2])
            window[:, start : start + width] = mean
        for _ in range(rng.integers(0, 3)):
            width, start = finer * rng.integers(1, 9), rng.integers(0, logs.shape[1])
            window[start : start + width] = mean


def augment(logs: Floats, live: Ints, noise: NoiseTable, rng: Rng, hop_s: float = USUAL_HOP_S) -> Floats:
    """Augmented, clamped and scaled features ``[batch, n_mels, frames of hop_s]`` of log10 powers.

    Frames from ``live`` on become digital silence, as trailing padding of the waveform gives (at
    times zeros, as padding of the features gives).
    """
    changed = colour(warp_bands(logs, rng), rng)
    noise_floor(changed, noise, rng)
    finer = max(1, round(USUAL_HOP_S / hop_s))
    mask(changed, rng, finer)
    padding = np.arange(logs.shape[1])[None] >= live[:, None]
    changed[padding] = DIGITAL_SILENCE
    peak = changed.max(axis=(1, 2), keepdims=True)
    scaled = (np.maximum(changed, peak - DYNAMIC_RANGE) + 4.0) / 4.0
    share = STOCK_PADDING_SHARES[logs.shape[1] > finer * LONG_FRAMES]
    stock = padding & (rng.random((len(logs), 1)) < share)
    scaled[stock] = 0.0
    return np.ascontiguousarray(scaled.transpose(0, 2, 1), dtype=np.float32)
