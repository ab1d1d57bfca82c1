"""PCM16 mono arithmetic: conversion to float, level, and short-term energy. Pure NumPy."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadAudio

Floats = NDArray[np.float32]
Samples = NDArray[np.int16]

FULL_SCALE = 32768.0
"""The int16 value that stands for 1.0."""

SILENCE_DBFS = -120.0
"""What the level of digital silence is reported as; 16 bits cannot resolve anything lower."""


def samples_of(pcm: bytes | bytearray | memoryview) -> Samples:
    """View little-endian PCM16 bytes as samples, without a copy.

    Raises `BadAudio` for an odd number of bytes: half a sample means that framing was lost.
    """
    if len(pcm) % 2:
        raise BadAudio(f"PCM16 has two bytes per sample, got {len(pcm)} bytes; send whole samples")
    return np.frombuffer(pcm, dtype="<i2")


def to_float(pcm: bytes | bytearray | memoryview) -> Floats:
    """PCM16 bytes as float32 in [-1, 1). Raises `BadAudio` for an odd number of bytes."""
    return samples_of(pcm).astype(np.float32) / np.float32(FULL_SCALE)


def as_float(samples: Samples | Floats) -> Floats:
    """Samples as float32 in [-1, 1): a view of floats, a copy of PCM16."""
    if samples.dtype == np.float32:
        return cast(Floats, samples)
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def to_pcm16(samples: Floats) -> bytes:
    """Float samples as PCM16 bytes; values beyond full scale are clipped."""
    scaled = np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    return bytes(scaled.astype("<i2").data)


def frame_levels_dbfs(samples: Floats, frame: int) -> Floats:
    """RMS level of consecutive frames of `frame` samples, in dBFS; a last partial frame counts too."""
    if frame < 1:
        raise ValueError("a frame has at least one sample")
    count = -(-samples.size // frame)
    if count == 0:
        return np.zeros(0, np.float32)
    padded = np.zeros(count * frame, np.float64)
    padded[: samples.size] = samples
    sizes = np.full(count, frame)
    sizes[-1] = samples.size - (count - 1) * frame
    mean_square = np.square(padded).reshape(count, frame).sum(axis=1) / sizes
    floor = 10.0 ** (SILENCE_DBFS / 10.0)
    levels: Floats = (10.0 * np.log10(np.maximum(mean_square, floor))).astype(np.float32)
    return levels
