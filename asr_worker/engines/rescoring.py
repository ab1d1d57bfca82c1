"""A second look at windows whose text the decoder is not sure of: several texts, weighed by the sounds.

Greedy decoding is right where the voice is heard well, and cheap. Where it is not, a wrong letter early on
leads the decoder into another verse, and it invents. A beam keeps other beginnings alive, and the phoneme
head, which has no language model, says which of them was said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from asr_worker.engines.coarse_letters import of_sounds, of_text
from shared.hearing import Phone

UNSURE = 0.9
"""Below this mean probability of a letter a text is looked at again. On a voice never trained on, in an
echoing mosque, that is a third of the windows; on a clear one, one in twenty. At 0.94 there are more of
them, but no fewer errors."""
EDIT_COST = 0.5
"""What a letter that was not heard, or a sound that was not written, counts for, in nats. Anything from 0.3
to 0.7 gave the same word error rate within a tenth."""


class Hypothesis(NamedTuple):
    """One text for a window: its tokens, its letters, the sum of their log probabilities."""

    tokens: tuple[int, ...]
    text: str
    log_probability: float

    @property
    def confidence(self) -> float:
        """Mean probability of a letter, the end counted as one."""
        return math.exp(min(0.0, self.log_probability / (len(self.tokens) + 1)))


@dataclass(frozen=True, slots=True)
class Rescoring:
    """How many texts are searched for where the greedy one is unsure; 1: it is never looked at again."""

    beam_size: int = 8

    def wanted(self, confidence: float, phones: Sequence[Phone] | None) -> bool:
        """Whether a window deserves a second look. Without a phoneme head there is nothing to weigh by."""
        return self.beam_size > 1 and bool(phones) and confidence < UNSURE

    def best(self, hypotheses: Sequence[Hypothesis], phones: Sequence[Phone]) -> Hypothesis:
        """The likeliest text, given what the decoder and the phoneme head say; the earlier one of equals."""
        sounds = of_sounds(phones)
        return max(
            hypotheses,
            key=lambda one: one.log_probability - EDIT_COST * Levenshtein.distance(of_text(one.text), sounds),
        )
