"""The reference: verses by number, their words as printed, their sounds as recited (Hafs).

The only module that touches the text package. Text is shown exactly as the package's corpus prints it,
with its stop marks and its sajda and quarter signs; the basmala is part of a verse only in 1:1 and 27:30.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import Final, NamedTuple

import msgspec
from quranic_phonemizer import Phonemizer, Riwayah
from quranic_phonemizer.api import PACKAGES
from quranic_phonemizer.corpus import PackedCorpus

from shared.errors import BadRequest, UnknownVerse
from shared.recitation.reference.normalise import skeleton
from shared.recitation.reference.pronunciations import other_pronunciations

MAX_VERSES: Final = 300
"""Verses in one range: the longest sura (286) fits whole."""
MAX_WORDS: Final = 6_500
"""Words in one range: bounds the memory of one session; the longest sura has 6,116."""

# fmt: off
_VERSE_COUNTS: Final = (
    7, 286, 200, 176, 120, 165, 206, 75, 129, 109, 123, 111, 43, 52, 99, 128, 111, 110, 98, 135, 112, 78,
    118, 64, 77, 227, 93, 88, 69, 60, 34, 30, 73, 54, 45, 83, 182, 88, 75, 85, 54, 53, 89, 59, 37, 35, 38,
    29, 18, 45, 60, 49, 62, 55, 78, 96, 29, 22, 24, 13, 14, 11, 11, 18, 12, 12, 30, 52, 52, 44, 28, 28, 20,
    56, 40, 31, 50, 40, 46, 42, 29, 19, 36, 25, 22, 17, 19, 26, 30, 20, 15, 21, 11, 8, 8, 19, 5, 8, 8, 11,
    11, 8, 3, 9, 5, 4, 7, 3, 6, 3, 5, 4, 5, 6,
)
# fmt: on
"""Verses per sura in the Kufan count of the Hafs print; 6,236 in all."""

_RANGE = re.compile(r"(\d{1,3})(?::(\d{1,3})(?:-(?:(\d{1,3}):)?(\d{1,3}))?)?")


def verse_counts() -> tuple[int, ...]:
    """How many verses each sura has; sura 1 is at index 0."""
    return _VERSE_COUNTS


class VerseRef(NamedTuple):
    """One verse, both numbers from 1."""

    surah: int
    ayah: int

    @property
    def key(self) -> str:
        """As in "1:5"."""
        return f"{self.surah}:{self.ayah}"


class VerseRange(NamedTuple):
    """Consecutive verses, both ends included; may cross sura borders."""

    first: VerseRef
    last: VerseRef

    @classmethod
    def parse(cls, text: str) -> VerseRange:
        """Read "1:5", "1:1-7", "112:1-114:6" or "112" (a whole sura).

        Raises `UnknownVerse` for a verse that does not exist, `BadRequest` for anything else.
        """
        found = _RANGE.fullmatch(text.strip())
        if found is None:
            raise BadRequest(f"{text[:40]!r} is no verse range; write 1:5, 1:1-7, 112:1-114:6 or 112.")
        surah, ayah, to_surah, to = (None if part is None else int(part) for part in found.groups())
        assert surah is not None
        if ayah is None:
            return cls.of(surah, 1, verses_in(surah))
        if to is None:
            return cls.of(surah, ayah, None)
        return _checked(VerseRef(surah, ayah), VerseRef(to_surah or surah, to))

    @classmethod
    def of(cls, surah: int, ayah: int, to: int | None = None) -> VerseRange:
        """Verses `ayah` to `to` of one sura. Raises as `parse` does."""
        return _checked(VerseRef(surah, ayah), VerseRef(surah, ayah if to is None else to))

    def verses(self) -> Iterator[VerseRef]:
        """Every verse of the range in order."""
        for surah in range(self.first.surah, self.last.surah + 1):
            start = self.first.ayah if surah == self.first.surah else 1
            stop = self.last.ayah if surah == self.last.surah else verses_in(surah)
            for ayah in range(start, stop + 1):
                yield VerseRef(surah, ayah)

    def __str__(self) -> str:
        if self.first == self.last:
            return self.first.key
        if self.first.surah == self.last.surah:
            return f"{self.first.key}-{self.last.ayah}"
        return f"{self.first.key}-{self.last.key}"


def verses_in(surah: int) -> int:
    """Verses of one sura; raises `UnknownVerse` for a sura that does not exist."""
    if not 1 <= surah <= len(_VERSE_COUNTS):
        raise UnknownVerse(f"There is no sura {surah}; suras are numbered 1 to {len(_VERSE_COUNTS)}.")
    return _VERSE_COUNTS[surah - 1]


def _checked(first: VerseRef, last: VerseRef) -> VerseRange:
    for verse in (first, last):
        count = verses_in(verse.surah)
        if not 1 <= verse.ayah <= count:
            raise UnknownVerse(f"There is no verse {verse.key}; sura {verse.surah} has verses 1 to {count}.")
    if last < first:
        raise BadRequest(f"The range runs backwards: {last.key} comes before {first.key}.")
    wanted = VerseRange(first, last)
    # A count first, so that an absurd range costs nothing.
    count = sum(_VERSE_COUNTS[first.surah - 1 : last.surah]) - (first.ayah - 1)
    count -= verses_in(last.surah) - last.ayah
    if count > MAX_VERSES:
        raise BadRequest(f"{wanted} has {count} verses; ask for at most {MAX_VERSES} at a time.")
    return wanted


class ReferenceWord(msgspec.Struct, frozen=True):
    """One word to recite. `position` counts from 1 within the verse; `index` from 0 in the passage.

    `display` is what a reader sees, byte for byte as the corpus prints it: a stop mark, sajda or quarter
    sign belongs to the word that it stands at. `spelling` is the word alone, to compare with.
    `phones`: its sounds in continuous reading with a stop at the end of each verse. `pronunciations`: what
    else is right, where the reciter stops elsewhere or joins two verses.
    """

    index: int
    verse: VerseRef
    position: int
    display: str
    spelling: str
    skeleton: str
    phones: tuple[str, ...]
    pronunciations: tuple[tuple[str, ...], ...] = ()


class Passage(msgspec.Struct, frozen=True):
    """The words of a verse range, in order."""

    range: VerseRange
    words: tuple[ReferenceWord, ...]


_ONE_AT_A_TIME: Final = Lock()
"""The text package promises nothing about threads, and services load passages off their event loop."""


@lru_cache(maxsize=1)
def _phonemizer() -> Phonemizer:
    return Phonemizer()


@lru_cache(maxsize=1)
def _corpus() -> PackedCorpus:
    package = PACKAGES[Riwayah(_phonemizer().riwayah)]
    corpus: PackedCorpus = package.corpus(package.DEFAULT_STOP_EDITION)
    return corpus


def words_in(verses: VerseRange) -> int:
    """How many words a range has, without loading them."""
    counts = _corpus().surah_info
    return sum(counts[str(verse.surah)][verse.ayah - 1] for verse in verses.verses())


def printed_words(verse: VerseRef) -> tuple[str, ...]:
    """The words of a verse byte for byte as the corpus prints them. Costs microseconds: no sounds are made.

    Raises `UnknownVerse` for a verse that does not exist.
    """
    _checked(verse, verse)
    corpus = _corpus()
    start = corpus.verse_starts[verse.surah, verse.ayah]
    count = corpus.surah_info[str(verse.surah)][verse.ayah - 1]
    return tuple(corpus.texts[at] for at in corpus.word_indices[start : start + count])


class _VerseWord(NamedTuple):
    """One word of one verse, wherever the verse is met."""

    position: int
    display: str
    spelling: str
    skeleton: str
    phones: tuple[str, ...]
    pronunciations: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=2048)
def _words_of(verse: VerseRef) -> tuple[_VerseWord, ...]:
    """A verse, with the sounds of continuous reading and a stop at its end, and the other ways to say it."""
    with _ONE_AT_A_TIME:
        analysis = _phonemizer().analyse(verse.key, stop_signs=("verse",))
        refs = [word.ref for word in analysis.words]
        others = [[sounds] for sounds in _sounds_of(verse.key, stop_refs=refs)]
        others[-1] += _joined(verse)[:1]
        others[0] += _joined(_before(verse))[1:]
    printed = printed_words(verse)
    return tuple(
        _VerseWord(
            position=(position := int(word.ref.rpartition(":")[2])),
            display=printed[position - 1],
            # The analysis gives the word without the signs that stand at it.
            spelling=word.text,
            skeleton=skeleton(word.text, "uthmani"),
            phones=(phones := tuple(analysis.sounds[sound.value].token for sound in word.sound_ids)),
            pronunciations=other_pronunciations(phones, others[at]),
        )
        for at, word in enumerate(analysis.words)
    )


def _sounds_of(reference: str, stop_refs: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """The sounds of each word, with a stop after the last one and after each of `stop_refs`."""
    analysis = _phonemizer().analyse(reference, stop_refs=stop_refs)
    return [tuple(analysis.sounds[sound.value].token for sound in word.sound_ids) for word in analysis.words]


@lru_cache(maxsize=2048)
def _joined(verse: VerseRef | None) -> list[tuple[str, ...]]:
    """The last word of a verse and the first word of the next verse, recited without a stop between them."""
    following = None if verse is None else _after(verse)
    if verse is None or following is None:
        return []
    return _sounds_of(f"{verse.key}:{words_in(VerseRange(verse, verse))}-{following.key}:1")


def _after(verse: VerseRef) -> VerseRef | None:
    if verse.ayah < verses_in(verse.surah):
        return VerseRef(verse.surah, verse.ayah + 1)
    return VerseRef(verse.surah + 1, 1) if verse.surah < len(_VERSE_COUNTS) else None


def _before(verse: VerseRef) -> VerseRef | None:
    if verse.ayah > 1:
        return VerseRef(verse.surah, verse.ayah - 1)
    return VerseRef(verse.surah - 1, verses_in(verse.surah - 1)) if verse.surah > 1 else None


@lru_cache(maxsize=256)
def load_passage(verses: VerseRange) -> Passage:
    """The passage of a range: 1.5-3 ms per word the first time (blocking), then cached, by verse too.

    Call it in a thread where others wait: it lets them in between two verses at the latest.
    Raises `UnknownVerse` or `BadRequest` when the range was not made by `parse` or `of` and is wrong.
    """
    verses = _checked(verses.first, verses.last)
    count = words_in(verses)
    if count > MAX_WORDS:
        raise BadRequest(f"{verses} has {count} words; the limit is {MAX_WORDS}.")
    found = ((verse, word) for verse in verses.verses() for word in _words_of(verse))
    words = tuple(ReferenceWord(index, verse, *word) for index, (verse, word) in enumerate(found))
    return Passage(verses, words)
