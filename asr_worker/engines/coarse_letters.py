"""One coarse alphabet for letters and sounds, in which a spelling and what was heard can be compared.

Consonants and long vowels; emphatic, doubled and nasalised sounds folded; short vowels left out, as in
the spelling. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.hearing import Phone

_HAMZA, _ALIF = "'", "A"
_CONSONANTS = (
    ("ب", "b"), ("ت", "t"), ("ث", "θ"), ("ج", "ʒ"), ("ح", "ħ"), ("خ", "x"), ("د", "d"), ("ذ", "ð"),
    ("ر", "r"), ("ز", "z"), ("س", "s"), ("ش", "ʃ"), ("ص", "s"), ("ض", "d"), ("ط", "t"), ("ظ", "ð"),
    ("ع", "ʕ"), ("غ", "ɣ"), ("ف", "f"), ("ق", "q"), ("ك", "k"), ("ل", "l"), ("م", "m"), ("ن", "n"),
    ("ه", "h"), ("و", "w"), ("ي", "j"), ("ة", "t"),
)  # fmt: skip
_LETTER_CLASS = {
    **dict(_CONSONANTS),
    **dict.fromkeys("ءأإؤئ", _HAMZA),
    **dict.fromkeys("اىٱ\u0670", _ALIF),
    "آ": _HAMZA + _ALIF,
}
_SOUND_CLASS = {
    **{sound: sound for _, sound in _CONSONANTS},
    "ʔ": _HAMZA,
    "a:": _ALIF,
    "aˤ:": _ALIF,
    "u:": "w",
    "i:": "j",
    "ŋ": "n",
    "ñ": "n",
    "m\u0303": "m",
    "w\u0303": "w",
    "j\u0303": "j",
}
_EMPHASIS = "ˤ"


def of_text(text: str) -> str:
    """The classes of the letters of an Arabic text; spaces and marks have none."""
    return "".join(_LETTER_CLASS.get(letter, "") for letter in text)


def of_sounds(phones: Iterable[Phone]) -> str:
    """The classes of sounds, in order."""
    return "".join(of_sound(phone.symbol) for phone in phones)


def of_sound(symbol: str) -> str:
    """The class of a sound; empty for short vowels and the echo of a qalqala."""
    plain = symbol.replace(_EMPHASIS, "") if symbol not in _SOUND_CLASS else symbol
    half = len(plain) // 2
    if plain not in _SOUND_CLASS and half and plain[:half] == plain[half:]:
        plain = plain[:half]
    return _SOUND_CLASS.get(plain, "")
