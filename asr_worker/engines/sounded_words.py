"""When each word of the decoder's text was said, and whether it was said at all, told by the sounds.

The decoder has no clock and, on a voice it hears badly, invents words; the phoneme head has a time for
every sound and no language model. Letters and sounds are written in one coarse alphabet (consonants and
long vowels; emphatic, doubled and nasalised sounds folded; short vowels left out, as in the spelling),
aligned by edit distance; a word lasts from its first sound to its last. Microseconds a window, where
attention alignment would run the decoder again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from shared.hearing import HeardWord, Phone

LEAST_HEARD = 0.25
"""A word of which a smaller share of the letters was heard as sounds is invented and left out. At 0 the
text of phone recordings had twice as many wrong words as at 0.25; at 0.33 clear voices lose some."""

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


def timed_by_sounds(
    words: Sequence[str], phones: Sequence[Phone], confidence: float
) -> tuple[HeardWord, ...]:
    """The words that were said, with the times (ms) of their sounds; none where nothing was heard."""
    sounds = [(kind, phone) for phone in phones if (kind := _sound_class(phone.symbol))]
    spelled = ["".join(_LETTER_CLASS.get(letter, "") for letter in word) for word in words]
    found = [_Found() for _ in words]
    owners = [index for index, letters in enumerate(spelled) for _ in letters]
    for block in Levenshtein.opcodes("".join(spelled), "".join(kind for kind, _ in sounds)):
        pairs = zip(
            range(block.src_start, block.src_end),
            range(block.dest_start, block.dest_end),
            strict=False,
        )
        for letter, sound in pairs:
            found[owners[letter]].add(sounds[sound][1], alike=block.tag == "equal")
    return tuple(
        HeardWord(word, place.start_ms, place.end_ms, confidence)
        for word, letters, place in zip(words, spelled, found, strict=True)
        if place.alike and place.alike >= LEAST_HEARD * len(letters)
    )


@dataclass(slots=True)
class _Found:
    """Where the sounds of one word lie, and how many of them are those of its letters."""

    start_ms: int = 0
    end_ms: int = 0
    alike: int = 0

    def add(self, phone: Phone, *, alike: bool) -> None:
        self.start_ms = min(self.start_ms, phone.start_ms) if self.end_ms else phone.start_ms
        self.end_ms = max(self.end_ms, phone.end_ms)
        self.alike += alike


def _sound_class(symbol: str) -> str:
    """The class of a sound; empty for short vowels and the echo of a qalqala."""
    plain = symbol.replace(_EMPHASIS, "") if symbol not in _SOUND_CLASS else symbol
    half = len(plain) // 2
    if plain not in _SOUND_CLASS and half and plain[:half] == plain[half:]:
        plain = plain[:half]
    return _SOUND_CLASS.get(plain, "")
