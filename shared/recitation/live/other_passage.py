"""Another passage is recited than the one chosen: what was settled as a mistake before is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.recitation.grading.passage_fit import Fit
from shared.recitation.grading.smoothing import WordState

_MISTAKES = frozenset(("minor_mistake", "wrong", "missing"))


def note_mistakes(
    noted: Mapping[int, int], words: Mapping[int, WordState], changed: Iterable[int], fit: Fit
) -> dict[int, int]:
    """The words settled as mistakes lately, each with how many units had been heard then.

    `noted`: what this returned before. `changed`: words whose state has changed since. What was heard lately
    decides whether it is another passage, so that older mistakes stand.
    """
    since = fit.heard - fit.lately_heard
    new = {index: fit.heard for index in changed if words[index].final and words[index].status in _MISTAKES}
    return {index: heard for index, heard in {**noted, **new}.items() if heard >= since}


def unfounded_mistakes(noted: Iterable[int], words: Mapping[int, WordState], fit: Fit) -> tuple[int, ...]:
    """Words that are shown as mistakes and are not judged, now that another passage is recited.

    At the end that is known of all that was heard.
    """
    doubted = words if fit.done else noted
    return tuple(index for index in doubted if words[index].status in _MISTAKES)
