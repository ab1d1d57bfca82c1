"""Entries of unchanged words are kept from event to event, and never go stale."""

from __future__ import annotations

import msgspec

from gateway.words import WordEntries, word_entry
from shared.recitation.feedback import WordFeedback


def words(count: int) -> tuple[WordFeedback, ...]:
    return tuple(WordFeedback(index, f"w{index}", "1:1") for index in range(count))


def test_only_changed_words_get_new_entries() -> None:
    entries, first = WordEntries(), words(3)
    before = entries.of(first)
    changed = msgspec.structs.replace(first[1], status="correct", heard="w1", confidence=0.9)
    after = entries.of((first[0], changed, first[2]))
    assert after == tuple(map(word_entry, (first[0], changed, first[2])))
    assert after[0] is before[0]
    assert after[1].status == "correct"


def test_another_number_of_words_starts_anew() -> None:
    entries = WordEntries()
    entries.of(words(3))
    assert entries.of(words(2)) == tuple(map(word_entry, words(2)))
