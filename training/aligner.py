"""Where each sound is: a Gaussian phone model trained from a flat start, and Viterbi.

A transformer trained from scratch on CTC alone stalls for hours; given frame targets it learns at
once. The targets come from the oldest recipe there is: split every verse evenly, fit one Gaussian
a sound, realign, repeat. A few minutes on one core, no network, no other model.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.passages import LONG_VOWELS, NASALISED, SYMBOL_ID

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SILENCE = 0
"""State of silence: the index that the CTC symbols give to their blank."""
HELD = tuple(SYMBOL_ID[sound] for sound in (*LONG_VOWELS, *NASALISED))
"""Sounds that recitation lengthens."""
CEPSTRA = 16
SPLICE = 3
"""Frames of context on either side (20 ms each)."""
LOUDNESS_STEP = 4.0
CERTAINTY = 0.25
"""Scale of the Gaussian log likelihoods: neighbouring frames are far from independent."""


SHORT_FRAMES, LONG_FRAMES, FINAL_FRAMES = 4, 12, 35
"""First guess of a sound's length: most sounds, lengthened ones, a last vowel before a stop."""
STAY_COST = 0.12
"""Log cost of each further frame in a sound that is not lengthened in recitation."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The states of one verse: silence at the ends and, skippable, after each word."""

    states: Ints
    skippable: NDArray[np.bool_]

    @property
    def lengthened(self) -> NDArray[np.bool_]:
        """States that recitation holds: long vowels, nasalised sounds, silence."""
        held: NDArray[np.bool_] = np.isin(self.states, (SILENCE, *HELD))
        return held


def chain(words: Sequence[Sequence[int]]) -> Chain:
    """States of a verse given the symbol ids of its words."""
    states = [SILENCE]
    skippable = [True]
    for word in words:
        states += list(word)
        skippable += [False] * len(word)
        states.append(SILENCE)
        skippable.append(True)
    return Chain(np.array(states), np.array(skippable))


def viterbi(scores: Floats, path: Chain) -> Ints:
    """The best position in the chain for every frame, given ``scores [frames, symbols]``."""
    emitted = scores[:, path.states]
    frames, positions = emitted.shape
    lowest = np.float32(-1e30)
    stay = np.where(path.lengthened, 0.0, STAY_COST).astype(np.float32)
    best = np.full(positions, lowest, dtype=np.float32)
    best[0] = emitted[0, 0]
    if positions > 1 and path.skippable[0]:
        best[1] = emitted[0, 1]
    jumpable = np.zeros(positions, dtype=bool)
    jumpable[2:] = path.skippable[1:-1]
    steps = np.zeros((frames, positions), dtype=np.int8)
    for frame in range(1, frames):
        one = np.concatenate(([lowest], best[:-1]))
        two = np.where(jumpable, np.concatenate(([lowest, lowest], best[:-2])), lowest)
        best = best - stay
        step = np.where(one > best, 1, 0)
        top = np.maximum(one, best)
        step = np.where(two > top, 2, step)
        best = np.maximum(two, top) + emitted[frame]
        steps[frame] = step
    place = positions - 1
    if path.skippable[-1] and positions > 1 and best[-2] > best[-1]:
        place = positions - 2
    places = np.empty(frames, dtype=np.int64)
    for frame in range(frames - 1, -1, -1):
        places[frame] = place
        place -= int(steps[frame, place])
    return places


def flat(frames: int, path: Chain, loud: NDArray[np.bool_]) -> Ints:
    """A first guess: edges that are quiet are silence, the rest is shared out by usual lengths."""
    voiced = np.flatnonzero(loud)
    first, last = (voiced[0], voiced[-1] + 1) if voiced.size else (0, frames)
    spoken = np.flatnonzero(path.states != SILENCE)
    lengths = np.where(path.lengthened[spoken], LONG_FRAMES, SHORT_FRAMES)
    long_near_end = np.flatnonzero(path.lengthened[spoken])[-1:]
    if long_near_end.size and long_near_end[0] >= spoken.size - 2:
        lengths[long_near_end] = FINAL_FRAMES
    ends = np.cumsum(lengths) / lengths.sum() * (last - first)
    places = np.zeros(frames, dtype=np.int64)
    places[last:] = path.states.size - 1
    places[first:last] = spoken[np.searchsorted(ends, np.arange(last - first) + 0.5)]
    return places


def cepstra(logs: NDArray[np.float16]) -> Floats:
    """Spliced, mean-free cepstra ``[frames, CEPSTRA * (2 * SPLICE + 1)]`` of log10 powers."""
    values = logs.astype(np.float32)
    values = np.maximum(values, values.max() - 6.0)
    bands = values.shape[1]
    angle = np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(CEPSTRA))
    folded = values @ (np.cos(angle) / bands).astype(np.float32)
    folded -= folded.mean(axis=0)
    padded = np.pad(folded, ((SPLICE, SPLICE), (0, 0)), mode="edge")
    return np.concatenate([padded[shift : shift + len(values)] for shift in range(2 * SPLICE + 1)], axis=1)


def is_loud(logs: NDArray[np.float16]) -> NDArray[np.bool_]:
    """Frames within 3 decades of the verse's loud ones."""
    level = logs.astype(np.float32).max(axis=1)
    loud: NDArray[np.bool_] = level > np.percentile(level, 90) - 2.5
    return loud


@dataclass(frozen=True, slots=True)
class Gaussians:
    """One Gaussian a symbol with a shared covariance: its scores are linear in the features."""

    weight: Floats
    bias: Floats

    def scores(self, features: Floats) -> Floats:
        """Scaled log likelihoods up to a constant per frame, ``[frames, symbols]``."""
        scored: Floats = CERTAINTY * (features @ self.weight + self.bias)
        return scored


def fit(features: Floats, labels: Ints, symbols: int) -> Gaussians:
    """Maximum likelihood means and shared covariance, ``features [frames, d]``."""
    counts = np.bincount(labels, minlength=symbols).astype(np.float64)
    order = np.argsort(labels, kind="stable")
    edges = np.searchsorted(labels[order], np.arange(symbols + 1))
    centre = features.mean(axis=0, dtype=np.float64)
    means = np.stack(
        [
            (features[order[low:high]].sum(axis=0, dtype=np.float64) + 5 * centre) / (high - low + 5)
            for low, high in itertools.pairwise(edges)
        ]
    )
    total = features.T.astype(np.float64) @ features / len(features)
    within = total - (means.T * (counts / counts.sum())) @ means
    within += np.eye(len(within)) * 1e-3 * np.trace(within) / len(within)
    weight = np.linalg.solve(within, means.T)
    bias = -0.5 * np.sum(means.T * weight, axis=0)
    bias[counts < 1] = -1e6
    return Gaussians(weight.astype(np.float32), bias.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording to align: log10 mel powers and the chain it says."""

    logs: NDArray[np.float16]
    path: Chain


def _place(model: Gaussians, utterance: Utterance) -> Ints:
    return viterbi(model.scores(cepstra(utterance.logs)), utterance.path)


def align(utterances: Sequence[Utterance], symbols: int, passes: int = 12, processes: int = 2) -> list[Ints]:
    """Positions in each utterance's chain, frame by frame."""
    places = [flat(len(item.logs), item.path, is_loud(item.logs)) for item in utterances]
    features = np.concatenate([cepstra(item.logs) for item in utterances])
    with ProcessPoolExecutor(processes) as pool:
        for number in range(passes):
            labels = np.concatenate(
                [item.path.states[place] for item, place in zip(utterances, places, strict=True)]
            )
            model = fit(features, labels, symbols)
            score = float(np.mean(model.scores(features)[np.arange(len(labels)), labels]))
            print(f"align: pass {number + 1}/{passes}, mean score {score:.3f}", flush=True)
            places = list(pool.map(partial(_place, model), utterances, chunksize=64))
    return places
