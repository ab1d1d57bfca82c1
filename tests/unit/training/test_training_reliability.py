"""Confidence against the share that was right."""

from __future__ import annotations

import pytest

from training.reliability import Bin, Verdict, corrected, expected_error, rising, table


def verdicts(confidence: float, right: int, wrong: int) -> list[Verdict]:
    return [Verdict("correct", confidence, at < right) for at in range(right + wrong)]


def test_verdicts_are_grouped_by_confidence() -> None:
    groups = table(verdicts(0.95, 9, 1) + verdicts(1.0, 10, 0) + verdicts(0.31, 1, 3))

    assert [group.verdicts for group in groups] == [4, 20]
    assert [group.confidence for group in groups] == pytest.approx([0.31, 0.975])
    assert [group.right for group in groups] == pytest.approx([0.25, 0.95])


def test_the_expected_error_weighs_groups_by_their_verdicts() -> None:
    assert expected_error([Bin(30, 0.9, 0.8), Bin(10, 0.5, 0.9)]) == pytest.approx(0.75 * 0.1 + 0.25 * 0.4)
    assert expected_error([]) == 0.0


def test_a_correction_never_falls_and_removes_most_of_the_error_it_was_fitted_on() -> None:
    sure = verdicts(0.9, 60, 40) + verdicts(0.7, 70, 30) + verdicts(0.3, 20, 80)

    curve = rising(sure, least=50)

    shares = [right for _, right in curve]
    assert shares == sorted(shares)
    before = expected_error(table(sure))
    assert expected_error(table([corrected(verdict, curve) for verdict in sure])) < before / 2
