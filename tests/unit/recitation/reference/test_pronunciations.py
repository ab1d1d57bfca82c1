"""Every word has the readings that a stop before or after it makes right, and those that joining does."""

from __future__ import annotations

import pytest

from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.reference.pronunciations import other_pronunciations


def ways(verses: str, index: int) -> set[str]:
    word = load_passage(VerseRange.parse(verses)).words[index]
    return {" ".join(sounds) for sounds in (word.phones, *word.pronunciations)}


@pytest.mark.parametrize(
    ("verses", "index", "expected"),
    [
        # The last word of a verse: stopped at, or joined to the next one.
        ("112:1", 3, {"ʔ a ħ a d Q", "ʔ a ħ a d u n i"}),
        # The first word of a verse: after a stop, or joined to the word before; and a stop after it.
        ("112:2", 0, {"ʔ a lˤlˤ aˤ: h u", "ʔ a lˤlˤ aˤ: h", "ll a: h u", "ll a: h"}),
        # A pronoun, a ta marbuta, tanween with fatha.
        ("112:1", 1, {"h u w a", "h u:"}),
        ("2:255", 9, {"s i n a t u", "s i n a h"}),
        ("2:2", 5, {"h u d a", "h u d a:"}),
        # Nothing changes at a consonant without a vowel.
        ("112:1", 0, {"q u l"}),
        # The first word of a sura, joined to the basmala.
        ("55:1", 0, {"ʔ a rˤrˤ a ħ m a: n", "ʔ a rˤrˤ a ħ m a: n u", "rˤrˤ a ħ m a: n"}),
    ],
)
def test_both_sides_of_a_stop_are_right(verses: str, index: int, expected: set[str]) -> None:
    assert ways(verses, index) == expected


def test_a_beginning_goes_with_any_end() -> None:
    assert other_pronunciations(("l", "ħ", "a", "jj", "u"), [("ʔ", "a", "l", "ħ", "a", "jj")]) == (
        ("ʔ", "a", "l", "ħ", "a", "jj"),
        ("l", "ħ", "a", "jj"),
        ("ʔ", "a", "l", "ħ", "a", "jj", "u"),
    )
    assert other_pronunciations(("f", "i"), [("f", "i")]) == ()
