"""The second voice gate's rules: who is decoded, and how long a text may be."""

from __future__ import annotations

import pytest

from asr_worker.engines.voice_gate import VoiceGate, cut_back
from shared.hearing import Phone


def _phones(count: int) -> tuple[Phone, ...]:
    return tuple(Phone("a", place * 40, place * 40 + 40) for place in range(count))


def test_nothing_heard_is_not_decoded() -> None:
    gate = VoiceGate()
    assert not gate.lets_through(())
    assert gate.lets_through(_phones(1))


def test_without_a_phoneme_head_everything_is_decoded() -> None:
    assert VoiceGate().lets_through(None)
    assert VoiceGate().most_letters(None, 48) == 48


def test_switched_off_it_changes_nothing() -> None:
    gate = VoiceGate(enabled=False)
    assert gate.lets_through(())
    assert gate.most_letters((), 48) == 48


@pytest.mark.parametrize(
    ("heard", "most", "letters"), [(1, 160, 10), (20, 160, 33), (59, 160, 82), (59, 48, 48)]
)
def test_letters_are_bounded_by_sounds(heard: int, most: int, letters: int) -> None:
    assert VoiceGate().most_letters(_phones(heard), most) == letters


@pytest.mark.parametrize(
    ("text", "heard", "kept"),
    [
        ("قل هو الله احد", 9, "قل هو"),
        ("قل هو الله احد", 10, "قل هو الله"),
        ("قل هو الله احد", 14, "قل هو الله احد"),
        ("قل هو الله احد", 60, "قل هو الله احد"),
        ("والعاديات", 2, ""),
        ("", 0, ""),
    ],
)
def test_a_runaway_text_is_cut_back_to_whole_words(text: str, heard: int, kept: str) -> None:
    assert cut_back(text, heard) == kept
