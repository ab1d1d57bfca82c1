"""The sounds of the connected recitation and how far apart two of them are.

Symbols are those of the reference phonemes (IPA; doubled = geminate, "ˤ" = emphatic, ":" = long,
tilde = nasalised by assimilation, "Q" = the echo of a qalqala). Costs are hundredths of one clearly
wrong consonant, as integers, so that every machine finds the same path.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.int32]

SHORT_VOWELS: Final = ("a", "i", "u")
LONG_VOWELS: Final = ("a:", "i:", "u:", "aˤ:")
ECHO: Final = "Q"
HAMZA: Final = "ʔ"
_PLAIN = ("ʔ", "b", "t", "θ", "ʒ", "ħ", "x", "d", "ð", "r", "z", "s", "ʃ", "ʕ", "ɣ", "f", "q", "k", "l", "m")
_REST = ("n", "h", "w", "j", "sˤ", "dˤ", "tˤ", "ðˤ", "rˤ", "lˤ")
_CONSONANTS = (*_PLAIN, *_REST)
_NASALISED = ("ŋ", "ñ", "m̃", "w̃", "j̃")
UNKNOWN: Final = "?"
INVENTORY: Final[tuple[str, ...]] = (
    UNKNOWN,
    *SHORT_VOWELS,
    *LONG_VOWELS,
    ECHO,
    *_CONSONANTS,
    *_NASALISED,
    *(c + c for c in _CONSONANTS),
)
"""Every symbol that can occur, in a fixed order: a symbol's index is its id in snapshots. Append only."""

_VOWELS: Final = frozenset((*SHORT_VOWELS, *LONG_VOWELS))
_NO_CONSONANTS: Final = _VOWELS | {ECHO, UNKNOWN}
_IDS: Final = {symbol: index for index, symbol in enumerate(INVENTORY)}

SAME_SOUND_CLASSES: Final[tuple[tuple[int, tuple[str, ...]], ...]] = (
    # Allophones: which of them is said depends on the neighbours, never on the word.
    (5, ("r", "rˤ")),
    (5, ("l", "lˤ")),
    # A noon or meem before another letter (ikhfa, iqlab, idgham with ghunna).
    (20, ("n", "ñ", "ŋ", "m̃")),
    (20, ("m", "m̃")),
    (20, ("w", "w̃")),
    (20, ("j", "j̃")),
    (40, ("n", "m")),
    (35, ("w̃", "j̃", "ñ", "ŋ", "n")),
    # Emphatic against plain, the commonest confusion of recognisers on unseen voices.
    (40, ("s", "sˤ")),
    (40, ("t", "tˤ")),
    (40, ("d", "dˤ")),
    (40, ("ð", "ðˤ")),
    (40, ("dˤ", "ðˤ")),
    # Near neighbours in place or voicing.
    (50, ("ħ", "h")),
    (50, ("q", "k")),
    (50, ("ʕ", "ʔ")),
    (50, ("θ", "s")),
    (50, ("ð", "z")),
    (50, ("ðˤ", "z")),
    (50, ("ɣ", "x")),
    (60, ("x", "ħ")),
    (60, ("t", "d")),
    # Ta marbuta is h when the reciter stops on it.
    (50, ("t", "h")),
)

CLEARLY_WRONG: Final = 100
_VOWEL_LENGTH = 15
_VOWEL_QUALITY = 60
_VOWEL_FOR_CONSONANT = 110
_GLIDES = {("w", "u"): 40, ("j", "i"): 40}
_GEMINATION = 20


def sound_id(symbol: str) -> int:
    """The symbol's place in the inventory; an unknown symbol is 0 (`UNKNOWN`)."""
    return _IDS.get(symbol, 0)


def is_vowel(symbol: str) -> bool:
    return symbol in _VOWELS


def is_consonant(symbol: str) -> bool:
    return symbol not in _NO_CONSONANTS


def is_held(symbol: str) -> bool:
    """Whether reciters hold the sound: long vowels (madd), doubled and nasalised consonants (ghunna)."""
    return symbol in LONG_VOWELS or symbol in _NASALISED or _single(symbol) != symbol


def _single(symbol: str) -> str:
    half = symbol[: len(symbol) // 2]
    return half if half and half + half == symbol else symbol


def _consonant_distance(one: str, other: str) -> int:
    a, b = _single(one), _single(other)
    gemination = _GEMINATION if (a == one) != (b == other) else 0
    if a == b:
        return gemination
    near = [cost for cost, members in SAME_SOUND_CLASSES if a in members and b in members]
    return min(CLEARLY_WRONG, min(near) + gemination) if near else CLEARLY_WRONG


def distance(one: str, other: str) -> int:
    """How wrong it is to hear `one` for `other`, 0 (same) to 110; symmetric."""
    if one == other:
        return 0
    if UNKNOWN in (one, other) or ECHO in (one, other):
        return CLEARLY_WRONG
    if is_vowel(one) and is_vowel(other):
        return _VOWEL_LENGTH if one[0] == other[0] else _VOWEL_QUALITY
    if is_vowel(one) or is_vowel(other):
        vowel, consonant = (one, other) if is_vowel(one) else (other, one)
        return _GLIDES.get((_single(consonant), vowel[0]), _VOWEL_FOR_CONSONANT)
    return _consonant_distance(one, other)


def deletion_cost(symbol: str) -> int:
    """Cost of not hearing a reference sound."""
    if symbol == ECHO:
        return 5
    if symbol in SHORT_VOWELS:
        return 30
    if symbol in LONG_VOWELS:
        return 45
    return 35 if symbol == HAMZA else 65


def insertion_cost(symbol: str) -> int:
    """Cost of hearing a sound that is not in the reference."""
    if symbol == ECHO:
        return 5
    if is_vowel(symbol):
        return 45
    return 40 if symbol == HAMZA else 70


def weight(symbol: str) -> int:
    """How much of a word's identity a sound carries: its consonants, above all."""
    if symbol == ECHO:
        return 0
    return 40 if is_vowel(symbol) else 100


DISTANCE: Final[Costs] = np.array([[distance(a, b) for b in INVENTORY] for a in INVENTORY], dtype=np.int32)
DELETION: Final[Costs] = np.array([deletion_cost(s) for s in INVENTORY], dtype=np.int32)
INSERTION: Final[tuple[int, ...]] = tuple(insertion_cost(s) for s in INVENTORY)
WEIGHT: Final[tuple[int, ...]] = tuple(weight(s) for s in INVENTORY)

DISTANCES: Final[tuple[tuple[int, ...], ...]] = tuple(tuple(row) for row in DISTANCE.tolist())
"""The same as plain integers: a single look-up is several times faster."""
