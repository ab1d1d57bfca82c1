"""Entries of unchanged words are kept from event to event, and never go stale."""

from __future__ import annotations

import msgspec
import pytest

from gateway.dialects.recite import word_entries
from gateway.dialects.recite.messages import WordEntry
from gateway.dialects.recite.word_entries import WordEntries, word_entry
from shared.recitation.live.feedback import WordFeedback


def words(count: int) -> tuple[WordFeedback, ...]:
    return tuple(WordFeedback(index, f"w{index}", "1:1") for index in range(count))


def plain(feedback: tuple[WordFeedback, ...]) -> bytes:
    return msgspec.json.encode(tuple(map(word_entry, feedback)))


def test_only_changed_words_are_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    entries, first = WordEntries(), words(3)
    assert bytes(entries.of(first)) == plain(first)
    changed = msgspec.structs.replace(first[1], status="correct", heard="w1", confidence=0.9)
    made: list[WordFeedback] = []

    def note(word: WordFeedback) -> WordEntry:
        made.append(word)
        return word_entry(word)

    monkeypatch.setattr(word_entries, "word_entry", note)
    second = (first[0], changed, first[2])
    assert bytes(entries.of(second)) == plain(second)
    assert bytes(entries.of(second)) == plain(second)
    assert made == [changed]


def test_another_number_of_words_starts_anew() -> None:
    entries = WordEntries()
    entries.of(words(3))
    assert bytes(entries.of(words(2))) == plain(words(2))
    assert bytes(entries.of(())) == b"[]"
