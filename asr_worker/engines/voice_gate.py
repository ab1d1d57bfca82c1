"""What the sounds that were heard say about the text: whether there can be any, and how long it may be. Pure.

The phoneme head has no language model: in noise it hears nothing or little. The decoder has one: in
noise it invents verses, and on long windows of poor audio it may say the same syllables until its
bound. So where nothing was heard the decoder is not asked, and a text far longer than the sounds
allow is cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.hearing import Phone

LETTERS_PER_PHONE = 1.25
SPARE_LETTERS = 8
"""Together the most letters (spaces included) that the decoder may give for so many sounds.

Measured on 700 windows of unseen reciters and of users' phones with the bundled model: letters are 0.95
of the sounds in the median; texts that are right have at most 4 more than 1.25 times the sounds, the
decoder's loops 18 to 118 more than the sounds."""


@dataclass(frozen=True, slots=True)
class VoiceGate:
    """The second voice gate, behind the gateway's energy gate. `enabled` False lets everything through."""

    enabled: bool = True

    def lets_through(self, phones: Sequence[Phone] | None) -> bool:
        """Whether the decoder is asked. Without a phoneme head (None) nobody can tell, so it is."""
        return not self.enabled or phones is None or bool(phones)

    def most_letters(self, phones: Sequence[Phone] | None, most: int) -> int:
        """The letters the decoder may give for these sounds, no more than `most`."""
        if not self.enabled or phones is None:
            return most
        return min(most, math.ceil(LETTERS_PER_PHONE * len(phones)) + SPARE_LETTERS)


def cut_back(text: str, heard: int) -> str:
    """A text that did not end within its bound: as many letters as sounds were heard, whole words only."""
    if len(text) <= heard or text[heard] == " ":
        return text[:heard].strip()
    return text[:heard].rpartition(" ")[0].strip()
