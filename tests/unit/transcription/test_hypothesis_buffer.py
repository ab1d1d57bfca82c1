"""LocalAgreement: what two looks agree on stands, a phrase that is really repeated is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.hearing import HeardWord
from shared.transcription.hypothesis_buffer import HypothesisBuffer, folded


def plain(text: str) -> list[HeardWord]:
    return [HeardWord(word) for word in text.split()]


def timed(text: str, start_ms: int = 0) -> list[HeardWord]:
    """Words of 400 ms, one after the other."""
    words = text.split()
    return [
        HeardWord(word, start_ms + 400 * place, start_ms + 400 * place + 350)
        for place, word in enumerate(words)
    ]


def text(words: tuple[HeardWord, ...]) -> str:
    return " ".join(word.text for word in words)


def test_a_word_stands_once_two_looks_agree() -> None:
    buffer = HypothesisBuffer()
    assert text(buffer.look(plain("the cat"))) == ""
    assert text(buffer.look(plain("the cat sad"))) == "the cat"
    assert text(buffer.look(plain("the cat sat on"))) == ""
    assert text(buffer.look(plain("the cat sat on a"))) == "sat on"
    assert text(buffer.pending) == "a"


def test_case_and_punctuation_are_no_disagreement_and_the_newer_spelling_stands() -> None:
    buffer = HypothesisBuffer()
    buffer.look(plain("hello world"))
    assert text(buffer.look(plain("Hello, world."))) == "Hello, world."


def test_what_stands_is_never_taken_back() -> None:
    buffer = HypothesisBuffer()
    buffer.look(plain("one two"))
    buffer.look(plain("one two three"))
    buffer.look(plain("other words here"))
    assert text(buffer.committed) == "one two"


def test_a_window_that_begins_later_is_joined_by_time() -> None:
    buffer = HypothesisBuffer()
    buffer.look(timed("a b c d"))
    buffer.look(timed("a b c d e"))
    assert text(buffer.look(timed("d e f", start_ms=1200), start_ms=1200)) == "e"
    assert text(buffer.last_look(timed("d e f g", start_ms=1200), start_ms=1200)) == "f g"
    assert text(buffer.committed) == "a b c d e f g"


def test_a_phrase_that_is_really_said_twice_is_kept() -> None:
    buffer = HypothesisBuffer()
    buffer.look(timed("so be it"))
    buffer.look(timed("so be it so"))
    buffer.look(timed("so be it so be it"))
    buffer.last_look(timed("so be it so be it"))
    assert text(buffer.committed) == "so be it so be it"


def test_the_end_takes_all_words_and_giving_up_takes_what_was_heard() -> None:
    ended, left = HypothesisBuffer(), HypothesisBuffer()
    ended.look(plain("one"))
    assert text(ended.last_look(plain("one two three"))) == "one two three"
    left.look(plain("one two"))
    assert text(left.give_up()) == "one two"
    assert left.pending == ()


WORDS = st.lists(st.sampled_from("ab"), max_size=12)


@given(said=WORDS, cuts=st.lists(st.integers(0, 12), max_size=8).map(sorted))
def test_looks_that_only_grow_end_in_what_was_said(said: list[str], cuts: list[int]) -> None:
    buffer = HypothesisBuffer()
    for cut in cuts:
        before = buffer.committed
        buffer.look(timed(" ".join(said[:cut])))
        assert buffer.committed[: len(before)] == before
    buffer.last_look(timed(" ".join(said)))
    assert [word.text for word in buffer.committed] == said


def test_words_of_signs_alone_are_compared_as_they_are() -> None:
    assert folded("...") == "..."
    assert folded("L'été,") == folded("l'ÉTÉ")
