"""A cheap energy gate: is there anything to hear in this window at all?"""

from __future__ import annotations

import numpy as np

from shared.protocol.segments import SAMPLE_RATE

GATE_OFF_DBFS = -120.0
"""At this level nothing is silent."""

_FRAME = SAMPLE_RATE // 50
"""20 ms: shorter than any speech sound, long enough for a stable level."""

_FULL_SCALE = 32768.0


def is_silent(pcm: bytes, below_dbfs: float) -> bool:
    """Whether the loudest 20 ms of this PCM16 stay below `below_dbfs` (RMS, full scale = 0)."""
    if below_dbfs <= GATE_OFF_DBFS or not pcm:
        return not pcm
    samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2).astype(np.float32)
    whole = samples.size // _FRAME * _FRAME
    if not whole:
        return _level(samples[np.newaxis, :]) < _power(below_dbfs)
    loudest = _level(samples[:whole].reshape(-1, _FRAME))
    rest = samples[whole:]
    if rest.size:
        loudest = max(loudest, _level(rest[np.newaxis, :]))
    return loudest < _power(below_dbfs)


def _level(frames: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> float:
    """Mean square of the loudest row."""
    return float(np.max(np.einsum("ij,ij->i", frames, frames)) / frames.shape[1])


def _power(dbfs: float) -> float:
    return float((_FULL_SCALE * 10 ** (dbfs / 20)) ** 2)
