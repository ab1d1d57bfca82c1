"""Word times from the decoder's cross-attention, for models without a phoneme head.

The method is Whisper's own: dynamic time warping over the alignment heads gives the frame at which
each text token begins; a word lasts from its first token to the next word's first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np

from shared.hearing import HeardWord


class Alignment(Protocol):
    """CTranslate2's alignment of one item: (token, encoder frame) pairs and token probabilities."""

    @property
    def alignments(self) -> Sequence[tuple[int, int]]: ...

    @property
    def text_token_probs(self) -> Sequence[float]: ...


def timed_words(
    alignment: Alignment, words: Sequence[str], tokens_per_word: Sequence[int], frame_ms: float, end_ms: int
) -> tuple[HeardWord, ...]:
    """Words with times in ms. `frame_ms` is one encoder state, `end_ms` the audio's length.

    A word whose tokens were not aligned gets no times.
    """
    begins = _token_begins(alignment.alignments)
    timed: list[HeardWord] = []
    first = 0
    for word, count in zip(words, tokens_per_word, strict=True):
        last = first + count
        start = _at(begins, first, frame_ms, end_ms)
        # The token after the word's last one begins where the word ends.
        end = _at(begins, last, frame_ms, end_ms)
        probabilities = alignment.text_token_probs[first:last]
        confidence = float(np.mean(probabilities)) if len(probabilities) else 0.0
        timed.append(HeardWord(word, start, end_ms if start is not None and end is None else end, confidence))
        first = last
    return tuple(timed)


def with_punctuation(spelled: Sequence[str], timed: Sequence[HeardWord]) -> tuple[HeardWord, ...]:
    """Punctuation as a part of the word beside it, whose times and confidence stay its own.

    `spelled`: the same words with the spaces before them. A mark that follows without a space ends the word
    before it, any other one begins the next word.
    """
    joined: list[HeardWord] = []
    opening = ""
    for raw, word in zip(spelled, timed, strict=True):
        if any(letter.isalnum() for letter in raw):
            joined.append(msgspec.structs.replace(word, text=opening + word.text))
            opening = ""
        elif joined and not opening and not raw.startswith(" "):
            joined[-1] = msgspec.structs.replace(joined[-1], text=joined[-1].text + word.text)
        else:
            opening += word.text
    if opening and joined:
        joined[-1] = msgspec.structs.replace(joined[-1], text=f"{joined[-1].text} {opening}")
    return tuple(joined)


def _token_begins(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Text token -> the first encoder frame aligned to it."""
    begins: dict[int, int] = {}
    for token, frame in pairs:
        begins.setdefault(token, frame)
    return begins


def _at(begins: dict[int, int], token: int, frame_ms: float, end_ms: int) -> int | None:
    frame = begins.get(token)
    return None if frame is None else min(end_ms, round(frame * frame_ms))
