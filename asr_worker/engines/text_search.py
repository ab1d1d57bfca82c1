"""What the decoder writes for windows: greedily, and where that is unsure, by beam and by sounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import ctranslate2

from asr_worker.engines.rescoring import Hypothesis, Rescoring
from shared.hearing import Phone


class Question(NamedTuple):
    """One window for the decoder: its prompt, the most tokens it may write, the sounds heard in it."""

    prompt: tuple[int, ...]
    bound: int
    phones: tuple[Phone, ...] | None


@dataclass(frozen=True, slots=True)
class Written:
    """The decoder's text of one window, as tokens."""

    tokens: Sequence[int]
    confidence: float
    """Mean probability of a token, geometric."""
    no_speech_probability: float = 0.0

    def confidence_within(self, bound: int) -> float:
        """The same, 0 for a text that did not end within its bound."""
        return self.confidence if len(self.tokens) < bound else 0.0


@dataclass(frozen=True, slots=True)
class TextSearch:
    """Asks the decoder about windows that were encoded together.

    `model`: CTranslate2's Whisper. `rows`: some rows of what it encoded. `letters`: tokens as text.
    `stock`: whether it can tell that nobody spoke.
    """

    model: Any
    rows: Callable[[ctranslate2.StorageView, Sequence[int]], ctranslate2.StorageView]
    letters: Callable[[Sequence[int]], str]
    rescoring: Rescoring
    stock: bool

    def texts(
        self, encoded: ctranslate2.StorageView, questions: Mapping[int, Question]
    ) -> dict[int, Written]:
        """The text of each window asked about, by its row in `encoded`."""
        texts = {
            row: Written(result.sequences_ids[0], math.exp(min(0.0, result.scores[0])), result.no_speech_prob)
            for row, result in self._generated(encoded, questions, beam_size=1).items()
        }
        unsure = {
            row: question
            for row, question in questions.items()
            if self.rescoring.wanted(texts[row].confidence_within(question.bound), question.phones)
        }
        if unsure:
            texts |= self._second_look(encoded, unsure)
        return texts

    def _second_look(
        self, encoded: ctranslate2.StorageView, unsure: Mapping[int, Question]
    ) -> dict[int, Written]:
        """Better texts where the beam found any that end; windows of only endless ones keep what they had."""
        beam = self.rescoring.beam_size
        found = self._generated(encoded, unsure, beam_size=beam, num_hypotheses=beam, length_penalty=0)
        better: dict[int, Written] = {}
        for row, result in found.items():
            question = unsure[row]
            ended = [
                Hypothesis(tuple(tokens), self.letters(tokens), score)
                for tokens, score in zip(result.sequences_ids, result.scores, strict=True)
                if len(tokens) < question.bound
            ]
            if ended:
                best = self.rescoring.best(ended, question.phones or ())
                better[row] = Written(best.tokens, best.confidence)
        return better

    def _generated(
        self, encoded: ctranslate2.StorageView, questions: Mapping[int, Question], **search: int
    ) -> dict[int, Any]:
        """The decoder's results by row. CTranslate2 takes prompts of one length."""
        by_length: dict[int, list[int]] = {}
        for row, question in questions.items():
            by_length.setdefault(len(question.prompt), []).append(row)
        results: dict[int, Any] = {}
        for rows in by_length.values():
            generated = self.model.generate(
                encoded if len(rows) == encoded.shape[0] else self.rows(encoded, rows),
                [list(questions[row].prompt) for row in rows],
                # CTranslate2 generates at most half of `max_length`.
                max_length=2 * max(questions[row].bound for row in rows),
                return_scores=True,
                return_no_speech_prob=self.stock,
                **search,
            )
            results.update(zip(rows, generated, strict=True))
        return results
