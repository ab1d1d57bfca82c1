"""What a model's confidence is worth: the measured share of verdicts that were right, for each confidence.

A model says how sure it is of a sound, and that is no promise about a word: one model is right in 97 of 100
words of which it is "75 %" sure, another in 80. Each model therefore brings curves, measured on voices
that it was not trained on (`python -m training.reliability`), and words show the confidence read off them.
A word called wrong has a curve of its own: where hardly a word is wrong, calling one so is right less often.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import msgspec

ConfidenceCurve = tuple[tuple[float, float], ...]
"""Points (confidence given, share that was right), both 0-1, rising. Empty: not measured."""

MOST_POINTS: Final = 16
"""Every result carries the curves, so they are short."""


class ConfidenceCurves(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One for words that were accepted (correct or a minor mistake), one for words called wrong."""

    accepted: ConfidenceCurve = ()
    wrong: ConfidenceCurve = ()


UNMEASURED: Final = ConfidenceCurves()
"""Of a model that brings none: its confidences stand as they are."""


def corrected(confidence: float, curve: ConfidenceCurve) -> float:
    """The share that was right where the model gave this `confidence`: the curve's points joined by lines.

    Below the first point the line comes from (0, 0), so that what was never measured is not believed; above
    the last one its share holds. Without a curve the confidence is what it was.
    """
    if not curve:
        return confidence
    above = bisect_left(curve, confidence, key=_given)
    if above == len(curve):
        return curve[-1][1]
    low_given, low_right = curve[above - 1] if above else (0.0, 0.0)
    high_given, high_right = curve[above]
    share = (confidence - low_given) / (high_given - low_given)
    return low_right + share * (high_right - low_right)


def curves_fault(curves: ConfidenceCurves) -> str | None:
    """What is wrong with curves that somebody wrote, None if nothing is."""
    return _fault("accepted", curves.accepted) or _fault("wrong", curves.wrong)


def _fault(name: str, curve: ConfidenceCurve) -> str | None:
    if len(curve) > MOST_POINTS:
        return f"{name} has {len(curve)} points, at most {MOST_POINTS} are taken"
    before_given, before_right = 0.0, 0.0
    for given, right in curve:
        if not before_given < given <= 1:
            return f"{name}: the confidence {given} must be above the one before it and at most 1"
        if not before_right <= right <= 1:
            return f"{name}: the share {right} must not be below the one before it, and at most 1"
        before_given, before_right = given, right
    return None


def _given(point: tuple[float, float]) -> float:
    return point[0]
