"""Words as Deepgram's clients read them. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from msgspec import UNSET

from gateway.dialects.deepgram.messages import Word
from shared.hearing import HeardWord


def words_of(
    words: Sequence[HeardWord], start: float, end: float, speaker: int | None = None
) -> tuple[Word, ...]:
    """A word without times of its own has those of what it is in, seconds."""
    return tuple(
        Word(
            word=_bare(word.text),
            start=start if word.start_ms is None else word.start_ms / 1000,
            end=end if word.end_ms is None else word.end_ms / 1000,
            confidence=round(word.confidence, 4),
            punctuated_word=word.text,
            speaker=UNSET if speaker is None else speaker,
        )
        for word in words
    )


def confidence_of(words: Sequence[Word]) -> float:
    """Of all words together: their mean, 0 without words."""
    return round(sum(word.confidence for word in words) / len(words), 4) if words else 0.0


def _bare(word: str) -> str:
    """In small letters, without punctuation around it; marks within and above letters stay."""
    begin, end = 0, len(word)
    while begin < end and _is_punctuation(word[begin]):
        begin += 1
    while begin < end and _is_punctuation(word[end - 1]):
        end -= 1
    return word[begin:end].lower() or word


def _is_punctuation(letter: str) -> bool:
    return unicodedata.category(letter).startswith("P")
