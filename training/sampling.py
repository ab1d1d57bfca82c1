"""How often a training window begins in each recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.voices import SYNTHETIC_PREFIX

Doubles = NDArray[np.float64]


def chances(lengths: Sequence[int], voices: Sequence[str], synthetic_share: float) -> Doubles:
    """The chance of each recording, from its length and its voice: long ones more, rare voices more.

    ``synthetic_share`` of all windows begin in synthetic voices, if there are any.
    """
    sizes = np.array(lengths, dtype=np.float64)
    names = np.array(voices)
    weights = np.zeros(len(sizes))
    for voice in np.unique(names):
        members = names == voice
        weights[members] = sizes[members] / np.sqrt(sizes[members].sum())
    made = np.char.startswith(names, SYNTHETIC_PREFIX)
    for group, share in ((made, synthetic_share), (~made, 1.0 - synthetic_share)):
        weights[group] *= share / max(1e-9, weights[group].sum())
    shares: Doubles = weights / weights.sum()
    return shares
