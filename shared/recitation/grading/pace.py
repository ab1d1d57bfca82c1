"""How fast somebody recites: ms from one sound to the next, where nothing can be held.

A recitation that is much slower than the slowest teacher's is heard in pieces: a window holds two or
three sounds, each longer than any that the model was trained on. What is heard right is right; what is
heard wrong says little.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from shared.recitation.alignment.phoneme_costs import INVENTORY, is_held
from shared.recitation.alignment.sound_units import HeardSound

_HELD: Final = tuple(map(is_held, INVENTORY))


def ms_per_sound(sounds: Sequence[HeardSound], least: int) -> int:
    """The median time from one sound to the next, ms, long vowels and doubled sounds left out.

    0 if there are fewer than `least` such times: the pace is not known.
    """
    times = sorted(
        [after.start_ms - sound.start_ms for sound, after in pairwise(sounds) if not _HELD[sound.sound]]
    )
    return times[len(times) // 2] if len(times) >= max(least, 1) else 0
