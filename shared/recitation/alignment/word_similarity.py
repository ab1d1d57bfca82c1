"""How alike two words are, and which letters reciters and recognisers confuse."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rapidfuzz.distance import Editop, Levenshtein

from shared.recitation.reference.normalise import ALEF, WAW, YEH, bones, same_word

CONFUSABLE: Final = frozenset(
    frozenset(pair) for pair in ("سص", "ذظ", "ذز", "ظز", "تط", "دض", "ضظ", "حه", "قك", "عا", "ثس", "ته")
)
"""Letters close in sound (DOMAIN A3): one of them for the other is a slip, also in a short word."""
_LONG_VOWELS: Final = frozenset((ALEF, WAW, YEH))


@lru_cache(maxsize=65536)
def similarity(one: str, other: str) -> float:
    """1.0 for one word up to spelling, else the better of skeleton and bones similarity, 0-1."""
    if same_word(one, other):
        return 1.0
    whole = Levenshtein.normalized_similarity(one, other)
    bare = Levenshtein.normalized_similarity(bones(one), bones(other))
    # Never 1.0: equal bones of different words ("ma", "am") are alike, not the same.
    return min(0.9, max(whole, bare))


def letters_apart(one: str, other: str) -> int:
    """Edit distance of two skeletons, or of their bones where that is less."""
    return min(Levenshtein.distance(one, other), max(1, Levenshtein.distance(bones(one), bones(other))))


def is_slip(heard: str, expected: str) -> bool:
    """Whether the words differ by one confusable letter or one long vowel only."""
    edits = list(Levenshtein.editops(heard, expected))
    if len(edits) != 1:
        return False
    edit = edits[0]
    assert isinstance(edit, Editop)
    if edit.tag == "replace":
        return frozenset((heard[edit.src_pos], expected[edit.dest_pos])) in CONFUSABLE
    letter = heard[edit.src_pos] if edit.tag == "delete" else expected[edit.dest_pos]
    return letter in _LONG_VOWELS
