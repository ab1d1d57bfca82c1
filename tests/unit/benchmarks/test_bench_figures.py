"""The statistics of the tables."""

from __future__ import annotations

import math

import pytest

from benchmarks.figures import edits, line, median, percentile, slope


def test_percentiles_are_nearest_ranks() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.95) == 95
    assert percentile(values, 1.0) == 100
    assert percentile([7.0], 0.01) == 7


def test_nothing_has_no_percentile_and_no_median() -> None:
    assert math.isnan(percentile([], 0.5))
    assert math.isnan(median([]))


def test_a_share_outside_of_its_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        percentile([1.0], 0.0)


def test_medians() -> None:
    assert median([3.0, 1.0, 2.0]) == 2
    assert median([4.0, 1.0, 2.0, 3.0]) == 2.5


def test_slopes_and_lines() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert line([(0, 1), (1, 3), (2, 5)]) == pytest.approx((1, 2))
    assert slope([(1, 4)]) == 0
    assert slope([(1, 4), (1, 9)]) == 0
    assert line([]) == (0, 0)


def test_edits_between_word_sequences() -> None:
    assert edits([], []) == 0
    assert edits(["a", "b", "c"], ["a", "x", "c"]) == 1
    assert edits(["a", "b"], ["a", "b", "c"]) == 1
    assert edits(["a", "b"], []) == 2
