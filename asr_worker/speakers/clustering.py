"""From vectors of voices to speakers: as many as the sound says. Pure.

A vector of 1.6 s is a rough picture of a voice: to find who there is, each is averaged with its neighbours in
the same stretch of speech, and these means are joined from the bottom up (average linkage, cosine). A group
of fewer than `LEAST_WINDOWS` is no speaker, and two groups that are too alike are one. Then every window goes
to the speaker it is most like itself, with a small price for every change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.intp]

ALIKE: Final = 0.66
"""Two groups are joined as long as their windows are on average at least so alike (cosine)."""
SAME: Final = 0.88
"""Groups whose means are so alike are one speaker."""
CHANGE: Final = 0.05
"""What a change of the speaker from one window to the next costs, in likeness."""
NEIGHBOURS: Final = 2
"""On either side of a window."""
LEAST_WINDOWS: Final = 8
"""Who is heard in less than these, about 3 s, is no speaker of his own."""
MOST_JOINED: Final = 800
"""So many windows are joined; of a longer recording, so many that lie evenly."""
ROUNDS: Final = 3
_NEVER: Final = -9.0


def speakers(vectors: Floats, spans: Sequence[int]) -> Labels:
    """Which speaker each window has, counted from 0 in the order in which they are first heard.

    `vectors`: of length 1, in the order of time. `spans`: the number of the stretch of speech each is in.
    """
    count = len(vectors)
    if not count:
        return np.zeros(0, np.intp)
    calm = _averaged(vectors, np.asarray(spans))
    sample = np.unique(np.linspace(0, count - 1, min(count, MOST_JOINED)).astype(np.intp))
    groups = _large([sample[group] for group in _joined(calm[sample])], LEAST_WINDOWS * len(sample) / count)
    for _ in range(ROUNDS):
        means = _means(calm, _distinct(calm, groups))
        labels = _path(vectors @ means.T)
        groups = _large([np.flatnonzero(labels == one) for one in range(len(means))], LEAST_WINDOWS)
    return _in_order(_path(vectors @ _means(calm, groups).T))


def _averaged(vectors: Floats, spans: Labels) -> Floats:
    """Each with its neighbours in the same span."""
    sums = np.zeros_like(vectors)
    for shift in range(-NEIGHBOURS, NEIGHBOURS + 1):
        at = np.arange(max(0, -shift), min(len(vectors), len(vectors) - shift))
        together = at[spans[at] == spans[at + shift]]
        sums[together] += vectors[together + shift]
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return sums


def _joined(vectors: Floats) -> list[Labels]:
    """Groups of windows by average linkage."""
    count = len(vectors)
    likeness = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(likeness, _NEVER)
    sizes = np.ones(count)
    members: dict[int, list[int]] = {one: [one] for one in range(count)}
    while len(members) > 1:
        left, right = divmod(int(likeness.argmax()), count)
        if likeness[left, right] < ALIKE:
            break
        both = sizes[left] + sizes[right]
        merged = (likeness[left] * sizes[left] + likeness[right] * sizes[right]) / both
        gone = likeness[left] == _NEVER
        likeness[left] = likeness[:, left] = np.where(gone, _NEVER, merged)
        likeness[left, left] = _NEVER
        likeness[right] = likeness[:, right] = _NEVER
        sizes[left] = both
        members[left] += members.pop(right)
    return [np.array(sorted(group), np.intp) for group in members.values()]


def _large(groups: Sequence[Labels], least: float) -> list[Labels]:
    """Without those that are heard too little; the largest one always stays."""
    return [group for group in groups if len(group) >= least] or [max(groups, key=len)]


def _distinct(vectors: Floats, groups: Sequence[Labels]) -> list[Labels]:
    """With groups joined whose means are too alike."""
    left = list(groups)
    while len(left) > 1:
        means = _means(vectors, left)
        likeness = means @ means.T
        np.fill_diagonal(likeness, _NEVER)
        one, other = divmod(int(likeness.argmax()), len(left))
        if likeness[one, other] < SAME:
            break
        left[one] = np.concatenate([left[one], left[other]])
        del left[other]
    return left


def _means(vectors: Floats, groups: Sequence[Labels]) -> Floats:
    means: Floats = np.stack([vectors[group].mean(axis=0) for group in groups])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    return means


def _path(likeness: Floats) -> Labels:
    """The most likely speaker of each window, where changes cost something (Viterbi)."""
    best, come_from = likeness[0].copy(), np.zeros(likeness.shape, np.intp)
    stay = np.arange(likeness.shape[1])
    for at in range(1, len(likeness)):
        leader = int(best.argmax())
        changed = best[leader] - CHANGE
        come_from[at] = np.where(best >= changed, stay, leader)
        best = np.maximum(best, changed) + likeness[at]
    path = np.empty(len(likeness), np.intp)
    path[-1] = best.argmax()
    for at in range(len(likeness) - 1, 0, -1):
        path[at - 1] = come_from[at, path[at]]
    return path


def _in_order(labels: Labels) -> Labels:
    names = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
    return np.array([names[label] for label in labels.tolist()], np.intp)
