"""A word's feedback as clients see it."""

from __future__ import annotations

from shared.protocol.server import WordEntry
from shared.recitation.feedback import WordFeedback


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
