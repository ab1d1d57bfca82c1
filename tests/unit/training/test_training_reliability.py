"""Confidence against the share that was right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.confidence import ConfidenceCurves, curves_fault
from training.reliability import (
    Bin,
    Verdict,
    expected_error,
    fitted,
    rising,
    table,
    with_curves,
    write_curves,
)


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


def test_a_curve_never_falls_and_removes_most_of_the_error_it_was_fitted_on() -> None:
    sure = verdicts(0.9, 60, 40) + verdicts(0.7, 70, 30) + verdicts(0.3, 20, 80)

    curve = rising(sure, least=50)

    assert curves_fault(ConfidenceCurves(curve)) is None
    shares = [right for _, right in curve]
    assert shares == sorted(shares)
    assert expected_error(table(with_curves(sure, ConfidenceCurves(curve)))) < expected_error(table(sure)) / 2


def test_a_curve_is_short_however_many_confidences_there_were_and_never_certain() -> None:
    many = [Verdict("correct", at / 3000, True) for at in range(1, 3001)]

    curve = rising(many)

    assert curves_fault(ConfidenceCurves(curve)) is None
    assert all(right < 1 for _, right in curve)


def test_few_verdicts_are_one_point() -> None:
    assert rising(verdicts(0.5, 3, 1)) == ((0.5, 0.7),)
    assert rising([]) == ()


def test_the_curve_is_written_into_the_card_and_nothing_else_is_changed(tmp_path: Path) -> None:
    card = {"name": "mine", "ctc": {"frame_ms": 40}}
    (tmp_path / "model.json").write_text(json.dumps(card))

    write_curves(tmp_path, ConfidenceCurves(((0.5, 0.7),)))

    written = json.loads((tmp_path / "model.json").read_text())
    assert written == card | {"confidence_curves": {"accepted": [[0.5, 0.7]]}}
    with pytest.raises(ValueError, match="cannot be used"):
        write_curves(tmp_path, ConfidenceCurves(((0.5, 0.7), (0.4, 0.9))))


def test_words_called_wrong_have_a_curve_of_their_own() -> None:
    accepted, wrong = verdicts(0.8, 99, 1), [Verdict("wrong", 0.8, at < 30) for at in range(50)]

    shown = with_curves(accepted + wrong, fitted(accepted + wrong))

    assert {verdict.status: round(verdict.confidence, 2) for verdict in shown} == {
        "correct": 0.99,
        "wrong": 0.6,
    }
