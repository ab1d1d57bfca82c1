"""A word's feedback as clients see it."""

from __future__ import annotations

from itertools import compress, count
from operator import is_not

import msgspec

from gateway.dialects.recite.messages import WordEntry
from gateway.dialects.seconds import seconds
from shared.recitation.live.feedback import WordFeedback

_encoder = msgspec.json.Encoder()


class WordEntries:
    """The entries of one connection's words, as JSON: only words that changed since the last event are
    encoded again, as every event lists every word."""

    def __init__(self) -> None:
        self._words: tuple[WordFeedback, ...] = ()
        self._entries: list[bytes] = []

    def of(self, words: tuple[WordFeedback, ...]) -> msgspec.Raw:
        """A list with one entry per word."""
        if len(words) != len(self._words):
            self._entries = [_encoder.encode(word_entry(word)) for word in words]
        else:
            for changed in compress(count(), map(is_not, words, self._words)):
                self._entries[changed] = _encoder.encode(word_entry(words[changed]))
        self._words = words
        return msgspec.Raw(b"[" + b",".join(self._entries) + b"]")


def word_entry(word: WordFeedback) -> WordEntry:
    """Times in seconds; what is not known yet is null."""
    return WordEntry(
        word=word.word,
        status=word.status,
        final=word.final,
        index=word.index,
        verse_key=word.verse_key,
        confidence=None if word.heard is None else round(word.confidence, 3),
        start_time=seconds(word.start_ms),
        end_time=seconds(word.end_ms),
        heard=word.heard,
    )
