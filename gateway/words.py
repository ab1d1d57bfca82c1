"""A word's feedback as clients see it."""

from __future__ import annotations

from shared.protocol.server import WordEntry
from shared.recitation.feedback import WordFeedback


class WordEntries:
    """The entries of one connection's words: only words that changed since the last event are made anew."""

    def __init__(self) -> None:
        self._words: tuple[WordFeedback, ...] = ()
        self._entries: tuple[WordEntry, ...] = ()

    def of(self, words: tuple[WordFeedback, ...]) -> tuple[WordEntry, ...]:
        """One entry per word."""
        if len(words) != len(self._words):
            self._entries = tuple(map(word_entry, words))
        else:
            before = zip(words, self._words, self._entries, strict=True)
            self._entries = tuple(
                entry if word is known else word_entry(word) for word, known, entry in before
            )
        self._words = words
        return self._entries


def word_entry(word: WordFeedback) -> WordEntry:
    """Times in seconds; what is not known yet is null."""
    return WordEntry(
        word=word.word,
        status=word.status,
        final=word.final,
        index=word.index,
        verse_key=word.verse_key,
        confidence=None if word.heard is None else round(word.confidence, 3),
        start_time=_seconds(word.start_ms),
        end_time=_seconds(word.end_ms),
        heard=word.heard,
    )


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
