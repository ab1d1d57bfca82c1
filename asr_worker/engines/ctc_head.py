"""A CTC head on encoder states: sounds with times and no language model, in NumPy alone.

The head is one matrix product on what the encoder returns anyway. Greedy decoding gives the sounds
that were heard; forced alignment says where given sounds are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.hearing import Phone

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ALTERNATIVE_FLOOR = 0.05
"""A sound that reaches this posterior somewhere in a heard sound's frames is an alternative."""
MAX_ALTERNATIVES = 3
IMPOSSIBLE = np.float32(-1e30)


class Span(NamedTuple):
    """Where one given sound is: frames ``start`` to ``end`` (exclusive), mean log posterior."""

    start_frame: int
    end_frame: int
    mean_logprob: float


@dataclass(frozen=True, slots=True)
class CtcHead:
    """Linear map from encoder states to sounds: ``weight [d, symbols]``, ``bias [symbols]``."""

    weight: Floats
    bias: Floats
    symbols: tuple[str, ...]
    blank: int
    frame_ms: float

    @classmethod
    def load(cls, path: Path | str) -> CtcHead:
        """Read an ``.npz`` with ``weight``, ``bias``, ``symbols``, ``blank`` and ``frame_ms``."""
        with np.load(path, allow_pickle=False) as stored:
            head = cls(
                np.ascontiguousarray(stored["weight"], dtype=np.float32),
                stored["bias"].astype(np.float32),
                tuple(str(symbol) for symbol in stored["symbols"]),
                int(stored["blank"]),
                float(stored["frame_ms"]),
            )
        if head.weight.shape[1:] != head.bias.shape or len(head.symbols) != head.bias.size:
            raise ValueError(f"{path}: weight, bias and symbols differ in size")
        return head

    def save(self, path: Path | str) -> None:
        """Write the file that :meth:`load` reads; the weight is stored in half precision."""
        np.savez(
            path,
            weight=self.weight.astype(np.float16),
            bias=self.bias.astype(np.float32),
            symbols=np.array(self.symbols),
            blank=np.array(self.blank),
            frame_ms=np.array(self.frame_ms),
        )

    def logits(self, states: Floats) -> Floats:
        """Scores of every sound, ``[..., frames, d]`` to ``[..., frames, symbols]``."""
        scores: Floats = states.astype(np.float32, copy=False) @ self.weight + self.bias
        return scores

    def log_probs(self, states: Floats) -> Floats:
        """Log posteriors, same shape as :meth:`logits`."""
        scores = self.logits(states)
        scores -= scores.max(axis=-1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
        return scores

    def greedy(self, log_probs: Floats) -> list[Phone]:
        """The best sound of each frame, repeats merged, blanks dropped: ``[frames, symbols]``."""
        best = log_probs.argmax(axis=-1)
        edges = np.flatnonzero(np.diff(best)) + 1
        starts = np.concatenate(([0], edges)) if best.size else edges
        ends = np.concatenate((edges, [best.size])) if best.size else edges
        return [
            self._phone(log_probs[start:end], int(best[start]), int(start), int(end))
            for start, end in zip(starts, ends, strict=True)
            if best[start] != self.blank
        ]

    def _phone(self, frames: Floats, symbol: int, start: int, end: int) -> Phone:
        peak = np.exp(frames.max(axis=0))
        others = [
            (self.symbols[index], round(float(peak[index]), 4))
            for index in np.argsort(-peak)[: MAX_ALTERNATIVES + 2]
            if index not in (symbol, self.blank) and peak[index] >= ALTERNATIVE_FLOOR
        ]
        return Phone(
            self.symbols[symbol],
            round(start * self.frame_ms),
            round(end * self.frame_ms),
            round(float(peak[symbol]), 4),
            tuple(others[:MAX_ALTERNATIVES]),
        )

    def align(self, log_probs: Floats, symbol_ids: Sequence[int]) -> list[Span]:
        """CTC Viterbi: where each of the given sounds is most likely, in order.

        ``log_probs [frames, symbols]``. Raises ``ValueError`` where the sounds do not fit into
        the frames (each needs one, and one more between equal neighbours).
        """
        return forced_alignment(log_probs, symbol_ids, self.blank)


def _extended(symbol_ids: Sequence[int], blank: int) -> Ints:
    states = np.full(2 * len(symbol_ids) + 1, blank, dtype=np.int64)
    states[1::2] = symbol_ids
    return states


def _best_path(emitted: Floats, may_jump: NDArray[np.bool_]) -> Ints:
    """Viterbi over the blank-extended states, ``emitted [frames, states]``."""
    frames, count = emitted.shape
    best = np.full(count, IMPOSSIBLE, dtype=np.float32)
    best[:2] = emitted[0, :2]
    steps = np.zeros((frames, count), dtype=np.int8)
    for frame in range(1, frames):
        one = np.concatenate(([IMPOSSIBLE], best[:-1]))
        two = np.where(may_jump, np.concatenate(([IMPOSSIBLE] * 2, best[:-2])), IMPOSSIBLE)
        choices = np.stack((best, one, two))
        steps[frame] = choices.argmax(axis=0)
        best = choices.max(axis=0) + emitted[frame]
    place = count - 1 if best[-1] >= best[-2] else count - 2
    if best[place] <= IMPOSSIBLE / 2:
        raise ValueError(f"the sounds do not fit into {frames} frames")
    path = np.empty(frames, dtype=np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = place
        place -= int(steps[frame, place])
    return path


def forced_alignment(log_probs: Floats, symbol_ids: Sequence[int], blank: int) -> list[Span]:
    """See :meth:`CtcHead.align`."""
    if not symbol_ids:
        return []
    if len(log_probs) == 0:
        raise ValueError("the sounds do not fit into 0 frames")
    states = _extended(symbol_ids, blank)
    may_jump = np.zeros(states.size, dtype=bool)
    may_jump[3::2] = states[3::2] != states[1:-2:2]
    path = _best_path(log_probs[:, states].astype(np.float32), may_jump)
    spans = []
    for position, symbol in enumerate(symbol_ids):
        held = np.flatnonzero(path == 2 * position + 1)
        start, end = int(held[0]), int(held[-1]) + 1
        spans.append(Span(start, end, float(log_probs[start:end, symbol].mean())))
    return spans
