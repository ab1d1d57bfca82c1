"""A model's confidence curve: what was measured is what is shown, and it never falls."""

from __future__ import annotations

import pytest

from shared.confidence import MOST_POINTS, ConfidenceCurve, ConfidenceCurves, corrected, curves_fault

CURVE: ConfidenceCurve = ((0.5, 0.8), (0.75, 0.96), (0.9, 0.98))


def test_the_points_are_joined_by_lines() -> None:
    assert [corrected(given, CURVE) for given, _ in CURVE] == [right for _, right in CURVE]
    assert corrected(0.625, CURVE) == pytest.approx(0.88)


def test_below_what_was_measured_little_is_believed_and_above_it_no_more_than_was_right() -> None:
    assert corrected(0.0, CURVE) == 0.0
    assert corrected(0.25, CURVE) == pytest.approx(0.4)
    assert corrected(1.0, CURVE) == 0.98


def test_a_higher_confidence_is_never_corrected_to_a_lower_one() -> None:
    shown = [corrected(hundredth / 100, CURVE) for hundredth in range(101)]
    assert shown == sorted(shown)
    assert 0 <= shown[0] <= shown[-1] <= 1


def test_a_model_without_a_curve_shows_the_confidence_it_gives() -> None:
    assert [corrected(hundredth / 100, ()) for hundredth in range(101)] == [
        hundredth / 100 for hundredth in range(101)
    ]


def test_a_good_curve_has_no_fault() -> None:
    assert curves_fault(ConfidenceCurves()) is None
    assert curves_fault(ConfidenceCurves(CURVE, CURVE)) is None


@pytest.mark.parametrize(
    ("curve", "fault"),
    [
        (((0.0, 0.5),), "confidence 0.0 must be above"),
        (((0.5, 0.5), (0.5, 0.6)), "confidence 0.5 must be above"),
        (((0.5, 0.5), (1.1, 0.6)), "confidence 1.1 must be above"),
        (((0.5, 0.9), (0.7, 0.8)), "share 0.8 must not be below"),
        (((0.5, 1.2),), "share 1.2 must not be below"),
        (((float("nan"), 0.5),), "confidence nan"),
        (tuple((at / 20, 0.5) for at in range(1, MOST_POINTS + 2)), f"at most {MOST_POINTS}"),
    ],
)
def test_a_curve_that_cannot_be_used_is_refused_with_its_fault(curve: ConfidenceCurve, fault: str) -> None:
    assert fault in str(curves_fault(ConfidenceCurves(accepted=curve)))
    assert "wrong" in str(curves_fault(ConfidenceCurves(CURVE, curve)))
