"""Sharper frame targets: the student's own frame posteriors, aligned again to what is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from shared.audio.features import scaled
from training.aligner import Chain, viterbi
from training.student import Student

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Ints = NDArray[np.int64]

CHUNK = 400
"""Feature frames (8 s) that the student sees at once: it was trained on up to 10 s."""
MARGIN = 50
"""Frames (1 s) of context that a chunk shares with its neighbour on either side."""
BATCH = 24
PRIOR_SHARE = 0.6
"""How much of the symbols' prior is divided out of the posteriors."""
SMALLEST = 1e-4


def _chunks(frames: int) -> list[tuple[int, int]]:
    """Where each chunk starts and from which frame on it is the one to believe."""
    if frames <= CHUNK:
        return [(0, 0)]
    starts = [*range(0, frames - CHUNK, CHUNK - 2 * MARGIN), frames - CHUNK]
    starts = sorted({start // 2 * 2 for start in starts})
    return [(start, start + MARGIN if start else 0) for start in starts]


def _posteriors(student: Student, clips: Sequence[Halves]) -> Iterator[Floats]:
    """Log posteriors of each clip, ``[frames of 20 ms, symbols]``."""
    jobs = [(clip, place) for clip in range(len(clips)) for place in _chunks(len(clips[clip]))]
    symbols = student.shape.symbols
    out: list[Floats] = [np.zeros((len(clip) + CHUNK, symbols), dtype=np.float32) for clip in clips]
    for first in range(0, len(jobs), BATCH):
        part = jobs[first : first + BATCH]
        longest = max(min(CHUNK, len(clips[clip])) for clip, _ in part)
        logs = np.full((len(part), longest, clips[0].shape[1]), -10.0, dtype=np.float32)
        for row, (clip, (start, _)) in zip(logs, part, strict=True):
            piece = clips[clip][start : start + longest]
            row[: len(piece)] = piece
        features = np.stack([scaled(row).T for row in logs])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            logits = student.frame(student.encoder(torch.from_numpy(features)))
        scores = logits.float().log_softmax(-1).numpy().repeat(2, axis=1)
        for row, (clip, (start, believed)) in zip(scores, part, strict=True):
            out[clip][believed : start + longest] = row[believed - start : longest]
    for logs_of_clip, scores in zip(clips, out, strict=True):
        yield scores[: len(logs_of_clip)]


def realign(
    student: Student, clips: Sequence[Halves], paths: Sequence[Chain], labels: Sequence[Ints]
) -> list[Ints]:
    """New positions in each clip's chain; ``labels`` (the old ones) give the prior."""
    student.eval()
    counts = np.bincount(np.concatenate(labels), minlength=student.shape.symbols)
    prior = np.log(np.maximum(SMALLEST, counts / counts.sum())).astype(np.float32)
    order = sorted(range(len(clips)), key=lambda index: len(clips[index]))
    places: list[Ints] = [np.zeros(0, dtype=np.int64)] * len(clips)
    with ThreadPoolExecutor(2) as pool:
        for first in range(0, len(order), 10 * BATCH):
            part = order[first : first + 10 * BATCH]
            scores = _posteriors(student, [clips[index] for index in part])
            found = pool.map(
                lambda scored, index: viterbi(scored - PRIOR_SHARE * prior, paths[index]),
                scores,
                part,
            )
            for index, place in zip(part, found, strict=True):
                places[index] = place
    student.train()
    return places
