"""What can be told apart by ear: words, and left-out words among equal ones."""

from __future__ import annotations

import pytest

from training.likeness import bare, difference, in_doubt, shared

Sounds = tuple[str, ...]


def word(sounds: str) -> Sounds:
    return tuple(sounds.split())


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("l q a d Q rˤ", "l q a d Q r i", True),
        ("ʔ a rˤrˤ a ħ m a: n i", "rˤrˤ a ħ m a: n i", True),
        ("m̃ a:", "m a:", True),
        ("l a j l a t i", "l a j l a t u", True),
        ("w a l a:", "w a m a:", False),
        ("f i:", "l a f i:", False),
    ],
)
def test_words_without_what_their_neighbours_change(one: str, other: str, alike: bool) -> None:
    assert (bare(word(one)) == bare(word(other))) is alike


def test_a_difference_is_weighed_as_the_grading_does() -> None:
    assert difference(word("m a:"), word("m a:")) == 0
    assert difference(word("m a:"), word("q u l")) > 0.9
    # The same letter before another one is no other word; one that holds the word and more is.
    assert difference(word("m̃ a:"), word("m a")) < 0.2
    assert difference(word("l a f i:"), word("f i:")) == 0.5
    assert difference(word("l m a ŋ f u: ʃ"), word("m a:")) > 0.7
    assert difference((), ()) == 0


def test_the_share_of_words_in_common() -> None:
    kalla, sawfa, law = word("k a ll a:"), word("s a w f a"), word("l a w")
    assert shared([kalla, law], [kalla, sawfa]) == 0.5
    assert shared([kalla, sawfa], [sawfa, kalla]) == 0.5
    assert shared([kalla], [law, kalla]) == 1


@pytest.mark.parametrize(
    ("text", "left_out", "doubtful"),
    [
        ("a b c d", {1}, set()),
        # Of two equal words in a row, either may be the one left out.
        ("a b b c", {1}, {1, 2}),
        ("a b c b d", {2, 3}, {1, 3}),
        ("a b c b d", {1, 2, 3}, set()),
    ],
)
def test_which_words_may_be_the_left_out_ones(text: str, left_out: set[int], doubtful: set[int]) -> None:
    letters = {"a": "b a q", "b": "k u l", "c": "s i r", "d": "f a m"}
    assert in_doubt([word(letters[letter]) for letter in text.split()], left_out) == doubtful
