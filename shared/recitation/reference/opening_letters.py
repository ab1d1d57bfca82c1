"""The opening letters of 29 suras: written as one word, recited letter by letter.

A recogniser may write them joined, spaced, or as letter names; all three mean the same word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

LETTER_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "\u0627": ("الف",),
    "\u0644": ("لام",),
    "\u0645": ("ميم",),
    "\u0635": ("صاد",),
    "\u0631": ("را",),
    "\u0643": ("كاف",),
    "\u0647": ("ها",),
    "\u064a": ("يا",),
    "\u0639": ("عين",),
    "\u0637": ("طا",),
    "\u0633": ("سين",),
    "\u062d": ("حا",),
    "\u0642": ("قاف",),
    "\u0646": ("نون",),
}
"""Skeleton of each letter's spoken name (hamza folded away)."""

OPENINGS: Final = frozenset(
    {"الم", "المص", "الر", "المر", "كهيعص", "طه", "طسم", "طس", "يس", "ص", "حم", "عسق", "ق", "ن"}
)
"""The 14 forms, by skeleton."""


@lru_cache(maxsize=64)
def spoken_letters(opening: str) -> tuple[tuple[str, ...], ...]:
    """Ways to say an opening as separate tokens: spaced letters, and letter names."""
    per_letter = [(letter, *LETTER_NAMES[letter]) for letter in opening]
    return tuple(product(*per_letter))


def opening_at(tokens: Sequence[str], openings: Iterable[str]) -> tuple[str, int] | None:
    """The opening said at the start of `tokens` (skeletons), and how many tokens it takes."""
    best: tuple[str, int] | None = None
    for opening in openings:
        taken = _tokens_spelling(tokens, opening)
        if taken and (best is None or taken > best[1]):
            best = (opening, taken)
    return best


def _tokens_spelling(tokens: Sequence[str], opening: str) -> int:
    """How many leading tokens, joined, spell the opening by letters or names; 0 if they do not."""
    spelled = {"".join(way) for way in spoken_letters(opening)} | {opening}
    joined = ""
    for count, token in enumerate(tokens[: len(opening)], start=1):
        joined += token
        if joined in spelled:
            return count
    return 0
