"""Aligned recordings in memory: features, and where each sound and word is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.aligner import SILENCE, Chain
from training.passages import SYMBOL_ID, Said

Ints = NDArray[np.int64]
Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Spans:
    """Things in time order: what each is, its first frame and the frame after it (20 ms)."""

    ids: Ints
    starts: Ints
    ends: Ints

    def within(self, low: float, high: float, share: float) -> slice:
        """Those of which at least ``share`` lies between two frames."""
        covered = np.minimum(self.ends, high) - np.maximum(self.starts, low)
        inside = np.flatnonzero(covered >= share * np.maximum(1, self.ends - self.starts))
        return slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)


@dataclass(slots=True)
class Recording:
    """One verse by one voice, with its distorted copies."""

    voice: str
    key: str
    labels: Ints
    sounds: Spans
    words: Spans
    texts: tuple[str, ...] | None
    copies: list[tuple[Halves, float]] = field(default_factory=list)


def _runs(places: Ints) -> tuple[Ints, Ints, Ints]:
    edges = np.flatnonzero(np.diff(places)) + 1
    starts = np.concatenate(([0], edges))
    ends = np.concatenate((edges, [len(places)]))
    return places[starts], starts, ends


def recording(
    voice: str,
    key: str,
    said: Sequence[Said],
    path: Chain,
    places: Ints,
    texts: Sequence[str] | None,
) -> Recording:
    """Turn a Viterbi path into labels and spans."""
    places = places.astype(np.int64)
    visited, starts, ends = _runs(places)
    symbols = path.states[visited]
    kept = symbols != SILENCE
    word_of = np.full(path.states.size, -1)
    position = 1
    for index, word in enumerate(said):
        count = len(word.sounds)
        word_of[position : position + count] = index
        position += count + 1
    words = word_of[visited[kept]]
    first = np.flatnonzero(np.diff(words, prepend=-1))
    last = np.flatnonzero(np.diff(words, append=len(said) + 1))
    return Recording(
        voice,
        key,
        path.states[places],
        Spans(symbols[kept], starts[kept], ends[kept]),
        Spans(words[first], starts[kept][first], ends[kept][last]),
        tuple(texts) if texts is not None else None,
    )


def symbol_ids(said: Sequence[Said]) -> list[list[int]]:
    """Symbol ids of a passage, word by word."""
    return [[SYMBOL_ID[sound] for sound in word.sounds] for word in said]
