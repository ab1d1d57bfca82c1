"""Utterances and the transcript: what was said once stands once, and survives being saved."""

from __future__ import annotations

import pytest

from shared.errors import StateLost
from shared.hearing import HeardWord
from shared.transcription.utterances import UtteranceAssembler


def words(text: str) -> list[HeardWord]:
    return [HeardWord(word) for word in text.split()]


def test_looks_become_an_utterance() -> None:
    assembler = UtteranceAssembler()
    first = assembler.look(words("good mor"), 200, 1200, last=False)
    second = assembler.look(words("good morning every"), 200, 2200, last=False)
    last = assembler.look(words("Good morning everyone."), 200, 2900, last=True)
    assert [u.text for u in (first, second, last)] == [
        "good mor",
        "good morning every",
        "good morning everyone.",
    ]
    assert [u.stable_text for u in (first, second)] == ["", "good"]
    assert (last.ended, last.number, last.start_ms, last.end_ms) == (True, 0, 200, 2900)
    assert assembler.transcript == "good morning everyone."


def test_an_utterance_without_words_has_no_number() -> None:
    assembler = UtteranceAssembler()
    assembler.look([], 0, 900, last=True)
    assert assembler.look(words("yes"), 1000, 1900, last=True).number == 0
    assert assembler.look(words("no"), 2000, 2900, last=True).number == 1
    assert assembler.transcript == "yes no"


def test_a_last_look_that_does_not_come_leaves_what_was_heard() -> None:
    assembler = UtteranceAssembler()
    assembler.look(words("one two"), 0, 1000, last=False)
    given_up = assembler.give_up(0, 2000)
    assert (given_up.text, given_up.ended) == ("one two", True)


@pytest.mark.parametrize("utterances", [0, 3, 900])
def test_it_goes_on_from_what_was_saved(utterances: int) -> None:
    assembler = UtteranceAssembler()
    for number in range(utterances):
        assembler.look(words(f"this is number {number}"), number * 1000, number * 1000 + 900, last=True)
    assembler.look(words("and the rest"), 10**7, 10**7 + 500, last=False)
    restored = UtteranceAssembler.restore(assembler.save())
    assert restored.transcript == assembler.transcript
    again = [one.look(words("and the rest"), 10**7, 10**7 + 900, last=True) for one in (assembler, restored)]
    assert again[0] == again[1]


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01garbage", b"\x00\x91\x01"])
def test_damaged_state_is_lost_state(data: bytes) -> None:
    with pytest.raises(StateLost):
        UtteranceAssembler.restore(data)
