"""Higher voices from low ones: pitch and formants raised, tempo kept.

A rough stand-in for women and children, of whom there are no recordings: it moves what the ear takes for
the length of the vocal tract, not how they speak.
"""

from __future__ import annotations

import numpy as np

from training.audio import SAMPLE_RATE, Floats
from training.distort import shift_pitch

FRAME = round(0.03 * SAMPLE_RATE)
HOP = FRAME // 2
SEARCH = round(0.008 * SAMPLE_RATE)
"""How far a frame may be moved to fit the one before it: half a period of the lowest voices."""


def stretch(samples: Floats, factor: float) -> Floats:
    """``factor`` times as long at the same pitch (WSOLA: frames overlapped where they look alike)."""
    wanted = round(samples.size * factor)
    if samples.size < 3 * FRAME:
        return np.resize(samples, wanted)
    window = np.hanning(FRAME + 1)[:-1].astype(np.float32)
    padded = np.pad(samples, (SEARCH, FRAME + SEARCH))
    made = np.zeros(wanted + 2 * FRAME, np.float32)
    weight = np.zeros_like(made)
    natural = SEARCH
    for start in range(0, wanted, HOP):
        about = min(round(start / factor), samples.size - 1) + SEARCH
        like = padded[natural : natural + FRAME]
        around = padded[about - SEARCH : about + SEARCH + FRAME]
        if start == 0 or like.size < FRAME:
            place = about
        else:
            place = about - SEARCH + int(np.correlate(around, like, "valid").argmax())
        place = min(place, padded.size - FRAME)
        made[start : start + FRAME] += window * padded[place : place + FRAME]
        weight[start : start + FRAME] += window
        natural = place + HOP
    even: Floats = (made / np.maximum(weight, 1e-3))[:wanted].astype(np.float32)
    return even


def raised(samples: Floats, ratio: float) -> Floats:
    """Pitch and formants times ``ratio``, as long as before."""
    return stretch(shift_pitch(samples, ratio), ratio)[: samples.size]
