"""What is recited: words of the passage with their sounds (phonemes) and their letters.

Sounds come from ``quranic-phonemizer`` (Hafs, connected recitation, a stop where the passage
ends); letters are bare imla'i spelling, the script that the decoder writes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from quranic_phonemizer import Phonemizer

BLANK = "<blank>"
LONG_VOWELS = ("a:", "i:", "u:", "aˤ:")
VOWELS = ("a", "i", "u", *LONG_VOWELS)
CONSONANTS = (
    *("ʔ", "b", "t", "θ", "ʒ", "ħ", "x", "d", "ð", "r", "rˤ", "z", "s", "ʃ", "sˤ", "dˤ", "tˤ"),
    *("ðˤ", "ʕ", "ɣ", "f", "q", "k", "l", "m", "n", "h", "w", "j"),
)
GEMINATES = (
    *("bb", "tt", "θθ", "ʒʒ", "ħħ", "xx", "dd", "ðð", "rr", "rˤrˤ", "zz", "ss", "ʃʃ", "sˤsˤ"),
    *("dˤdˤ", "tˤtˤ", "ðˤðˤ", "ʕʕ", "ff", "qq", "kk", "ll", "lˤlˤ", "hh", "ww", "jj"),
)
NASALISED = ("ŋ", "ñ", "m̃", "w̃", "j̃")
QALQALAH = ("Q",)
SYMBOLS = (BLANK, *VOWELS, *CONSONANTS, *GEMINATES, *NASALISED, *QALQALAH)
"""Every sound of the Hafs defaults of ``quranic-phonemizer``; index 0 is the CTC blank."""

SYMBOL_ID = {symbol: index for index, symbol in enumerate(SYMBOLS)}

MARKS = re.compile("[\u064b-\u0652\u0653\u0655-\u065f\u0670\u0640\u06d6-\u06ed]")
"""Tashkeel, superscript alef, tatweel and Quranic marks: stripped from the decoder's text."""

VOCATIVE = "يا"

BASMALA_WORDS = 4
WITHOUT_BASMALA = (1, 9)
"""Suras whose first verse carries no added basmala in the text file."""

TRAINED_SURAS = (1, *range(78, 115))


@dataclass(frozen=True, slots=True)
class WordRef:
    """One written word: sura, verse, word (1-based, as the phonemizer counts)."""

    sura: int
    aya: int
    word: int


@dataclass(frozen=True, slots=True)
class Said:
    """One word as it sounds in its place."""

    ref: WordRef
    sounds: tuple[str, ...]


@cache
def _phonemizer() -> Phonemizer:
    return Phonemizer()


@cache
def _analysed(reference: str) -> tuple[Said, ...]:
    result = _phonemizer().analyse(reference)
    token = {sound.id: sound.token for sound in result.sounds}
    said = []
    for word in result.words:
        sura, aya, index = (int(part) for part in word.ref.split(":"))
        sounds = tuple(token[sound] for sound in word.sound_ids)
        said.append(Said(WordRef(sura, aya, index), sounds))
    return tuple(said)


def verse(sura: int, aya: int) -> tuple[Said, ...]:
    """The words of one verse, recited in one breath with a stop at its end."""
    return _analysed(f"{sura}:{aya}")


@cache
def verse_count(sura: int) -> int:
    """How many verses a sura has."""
    return _analysed(f"{sura}")[-1].ref.aya


def _run(words: Sequence[WordRef], starts: bool, stops: bool) -> list[Said]:
    """Neighbouring words of one verse, in connected form at the ends that do not stop."""
    sura, aya = words[0].sura, words[0].aya
    last = len(verse(sura, aya))
    first, final = words[0].word, words[-1].word
    low = first if starts else max(1, first - 1)
    high = final if stops else min(last, final + 1)
    said = _analysed(f"{sura}:{aya}:{low}-{sura}:{aya}:{high}" if low < high else f"{sura}:{aya}:{low}")
    return [word for word in said if first <= word.ref.word <= final]


def phrase(words: Sequence[WordRef]) -> list[Said]:
    """Any sequence of words said in one breath: begun at the first, stopped at the last."""
    breaks = [
        index
        for index in range(1, len(words))
        if (words[index].sura, words[index].aya) != (words[index - 1].sura, words[index - 1].aya)
        or words[index].word != words[index - 1].word + 1
    ]
    edges = [0, *breaks, len(words)]
    said: list[Said] = []
    for begin, end in itertools.pairwise(edges):
        said += _run(words[begin:end], starts=begin == 0, stops=end == len(words))
    return said


def refs(sura: int, aya: int, first: int = 1, last: int | None = None) -> list[WordRef]:
    """References of the words ``first`` to ``last`` (or the end) of a verse."""
    last = last if last is not None else len(verse(sura, aya))
    return [WordRef(sura, aya, word) for word in range(first, last + 1)]


def _lines(text: Path) -> Iterator[tuple[int, int, list[str]]]:
    for line in text.read_text(encoding="utf-8").splitlines():
        if line.count("|") != 2:
            continue
        sura, aya, words = line.split("|")
        yield int(sura), int(aya), words.split()


def _as_spoken(words: list[str], count: int) -> list[str]:
    """Merge the vocative that Uthmani spelling joins to the next word, so that words match."""
    merged: list[str] = []
    for word in words:
        if merged and merged[-1] == VOCATIVE and len(words) > count:
            merged[-1] = f"{VOCATIVE} {word}"
        else:
            merged.append(word)
    return merged


class Letters:
    """Bare imla'i words of verses as they are recited, from Tanzil's ``quran-simple.txt``.

    One entry per word of :func:`verse`; no added basmala; pause marks are not words. Verses are
    looked up when asked for: analysing the whole Quran takes a minute.
    """

    def __init__(self, text: Path) -> None:
        self._lines = {(sura, aya): words for sura, aya, words in _lines(text)}
        self._found: dict[tuple[int, int], list[str] | None] = {}

    def verse(self, sura: int, aya: int) -> list[str] | None:
        """A verse's words, or ``None`` where the two spellings divide it differently."""
        if (sura, aya) not in self._found:
            self._found[sura, aya] = self._matched(sura, aya)
        return self._found[sura, aya]

    def of(self, words: Sequence[WordRef]) -> list[str] | None:
        """The letters of any words, or ``None`` where those of one are not known."""
        written = []
        for word in words:
            found = self.verse(word.sura, word.aya)
            if found is None:
                return None
            written.append(found[word.word - 1])
        return written

    def _matched(self, sura: int, aya: int) -> list[str] | None:
        words = self._lines[sura, aya]
        if aya == 1 and sura not in WITHOUT_BASMALA:
            words = words[BASMALA_WORDS:]
        stripped = [bare for word in words if (bare := MARKS.sub("", word))]
        count = len(verse(sura, aya))
        spoken = _as_spoken(stripped, count)
        return spoken if len(spoken) == count else None
