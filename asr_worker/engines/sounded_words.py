"""When each word of the decoder's text was said, and whether it was said at all, told by the sounds.

The decoder has no clock and, on a voice it hears badly, invents words; the phoneme head has a time for
every sound and no language model. Letters and sounds are written in one coarse alphabet (`coarse_letters`)
and aligned by edit distance; a word lasts from its first sound to its last. Microseconds a window, where
attention alignment would run the decoder again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from asr_worker.engines.coarse_letters import of_sound, of_text
from shared.hearing import HeardWord, Phone

LEAST_HEARD = 0.25
"""A word of which a smaller share of the letters was heard as sounds is invented and left out. At 0 the
text of phone recordings had twice as many wrong words as at 0.25; at 0.33 clear voices lose some."""


def timed_by_sounds(
    words: Sequence[str], phones: Sequence[Phone], confidence: float
) -> tuple[HeardWord, ...]:
    """The words that were said, with the times (ms) of their sounds; none where nothing was heard."""
    sounds = [(kind, phone) for phone in phones if (kind := of_sound(phone.symbol))]
    spelled = [of_text(word) for word in words]
    found = [_Found() for _ in words]
    owners = [index for index, letters in enumerate(spelled) for _ in letters]
    for block in Levenshtein.opcodes("".join(spelled), "".join(kind for kind, _ in sounds)):
        pairs = zip(
            range(block.src_start, block.src_end),
            range(block.dest_start, block.dest_end),
            strict=False,
        )
        for letter, sound in pairs:
            found[owners[letter]].add(sounds[sound][1], alike=block.tag == "equal")
    return tuple(
        HeardWord(word, place.start_ms, place.end_ms, confidence)
        for word, letters, place in zip(words, spelled, found, strict=True)
        if place.alike and place.alike >= LEAST_HEARD * len(letters)
    )


@dataclass(slots=True)
class _Found:
    """Where the sounds of one word lie, and how many of them are those of its letters."""

    start_ms: int = 0
    end_ms: int = 0
    alike: int = 0

    def add(self, phone: Phone, *, alike: bool) -> None:
        self.start_ms = min(self.start_ms, phone.start_ms) if self.end_ms else phone.start_ms
        self.end_ms = max(self.end_ms, phone.end_ms)
        self.alike += alike
