"""Where to cut speech that has no pause: at its quietest moment. Pure."""

from __future__ import annotations

import numpy as np

from shared.audio.formats import SAMPLE_RATE

_FRAME = SAMPLE_RATE // 50
"""20 ms: shorter than any speech sound, long enough for a stable level."""


def quietest(pcm: bytes, within: int) -> int:
    """The sample, among the last `within` ones of this PCM16, around which it is quietest."""
    samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)
    first = max(0, samples.size - within)
    frames = (samples.size - first) // _FRAME
    if frames < 1:
        return samples.size
    tail = samples[first : first + frames * _FRAME].astype(np.float32).reshape(frames, _FRAME)
    levels = np.einsum("ij,ij->i", tail, tail)
    return first + int(np.argmin(levels)) * _FRAME + _FRAME // 2
