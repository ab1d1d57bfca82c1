"""The few statistics that the tables use. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile, `share` in (0, 1]; NaN for no values."""
    if not 0 < share <= 1:
        raise ValueError("a percentile's share lies in (0, 1]")
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[math.ceil(share * len(ranked)) - 1]


def median(values: Sequence[float]) -> float:
    """The middle value, the mean of the two middle ones for an even count; NaN for no values."""
    if not values:
        return math.nan
    ranked = sorted(values)
    middle = len(ranked) // 2
    return ranked[middle] if len(ranked) % 2 else (ranked[middle - 1] + ranked[middle]) / 2


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope of y over x; 0 for fewer than two distinct x."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least-squares (intercept, slope) of y over x; a flat line for fewer than two distinct x."""
    if not points:
        return 0.0, 0.0
    steep = slope(points)
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return mean_y - steep * mean_x, steep


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein distance of two sequences of words."""
    row = list(range(len(other) + 1))
    for i, mine in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, theirs in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (mine != theirs))
    return row[-1]
