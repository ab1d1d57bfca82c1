"""Punctuation belongs to the word beside it."""

from __future__ import annotations

import pytest

from asr_worker.engines.word_times import with_punctuation
from shared.hearing import HeardWord


def joined(*spelled: str) -> list[str]:
    timed = [HeardWord(word.strip(), place * 10, place * 10 + 10) for place, word in enumerate(spelled)]
    made = with_punctuation(spelled, timed)
    places = {word.strip(): place for place, word in enumerate(spelled)}
    for word in made:
        letters = "".join(letter for letter in word.text if letter.isalnum() or letter == "'")
        assert word.start_ms == places[letters] * 10
    return [word.text for word in made]


@pytest.mark.parametrize(
    ("spelled", "words"),
    [
        ([" Good", " morning", ",", " everybody", "!"], ["Good", "morning,", "everybody!"]),
        ([" He", " said", ' "', "no", '."'], ["He", "said", '"no."']),
        ([" why", "?", "!"], ["why?!"]),
        ([" one", " -", " two"], ["one", "-two"]),
        ([" نعم", "؟"], ["نعم؟"]),
        ([" it's", " so"], ["it's", "so"]),
        ([" end", " ..."], ["end ..."]),
    ],
)
def test_marks_join_the_word_they_stand_at(spelled: list[str], words: list[str]) -> None:
    assert joined(*spelled) == words


def test_marks_alone_are_no_words() -> None:
    assert with_punctuation(["..."], [HeardWord("...", 0, 10)]) == ()
    assert with_punctuation([], []) == ()
