"""A cheap energy gate: is there anything to hear in this window at all?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.audio.formats import SAMPLE_RATE

GATE_OFF_DBFS = -120.0
"""At this level nothing is silent."""

_FRAME = SAMPLE_RATE // 50
"""20 ms: shorter than any speech sound, long enough for a stable level."""

_FIRST = 16 * _FRAME
"""A third of a second is looked at first: speech is mostly heard in it, and the rest need not be."""

_FULL_SCALE = 32768.0

Floats = NDArray[np.float32]


def is_silent(pcm: bytes, below_dbfs: float) -> bool:
    """Whether the loudest 20 ms of this PCM16 stay below `below_dbfs` (RMS, full scale = 0).

    The mean of the window is removed first: the constant offset of a microphone is no sound.
    """
    if below_dbfs <= GATE_OFF_DBFS or not pcm:
        return not pcm
    samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)
    limit = _power(below_dbfs)
    whole = samples.size // _FRAME * _FRAME
    first, others, rest = samples[: min(_FIRST, whole)], samples[_FIRST:whole], samples[whole:]
    pieces = (first.reshape(-1, _FRAME), others.reshape(-1, _FRAME), rest[np.newaxis, :])
    filled = [piece for piece in pieces if piece.size]
    # What is silent with its offset is silent: the mean is needed only where there seems to be something.
    if all(_level(piece.astype(np.float32)) < limit for piece in filled):
        return True
    mean = np.float32(np.add.reduce(samples, dtype=np.int64) / samples.size)
    return all(_level(piece - mean) < limit for piece in filled)


def _level(levels: Floats) -> float:
    """Mean square of the loudest row."""
    return float(np.max(np.einsum("ij,ij->i", levels, levels)) / levels.shape[1])


def _power(dbfs: float) -> float:
    return float((_FULL_SCALE * 10 ** (dbfs / 20)) ** 2)
