"""One number for a recitation, and what it is made of. Only what was recited is scored."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec
from rapidfuzz.distance import Levenshtein

from shared.recitation.live.feedback import Feedback, WordFeedback, WordStatus
from shared.recitation.reference.normalise import skeleton

WEIGHTS: Final[dict[WordStatus, float]] = {"correct": 1.0, "minor_mistake": 0.7, "wrong": 0.0, "missing": 0.0}
EXTRA_PENALTY: Final = 0.01
"""Share of the score an extra word costs: mentioned, hardly punished."""
EXTRA_PENALTY_CAP: Final = 0.05


class Counts(msgspec.Struct, frozen=True):
    """Words by status; `extra` counts remarks outside the passage."""

    correct: int = 0
    minor_mistake: int = 0
    wrong: int = 0
    missing: int = 0
    pending: int = 0
    extra: int = 0
    not_judged: int = 0


class Score(msgspec.Struct, frozen=True):
    """`accuracy` 0-100 over the words recited or left out; the unsaid tail and words that were not judged do
    not count. `None` for what is hardly this passage, and where poor sound left less than half to judge.

    `coverage` 0-1 says how much of the passage that is. `wer` and `cer` are shares of words and of
    letters (sounds, for phoneme engines) over the same words; all `None` if nothing was recited.
    """

    accuracy: float | None
    coverage: float
    counts: Counts
    wer: float | None
    cer: float | None


def score(feedback: Feedback) -> Score:
    """Score a recitation as it stands."""
    recited = [word for word in feedback.words if word.status not in ("pending", "not_judged")]
    tally = Counter(word.status for word in feedback.words)
    counts = Counts(
        correct=tally["correct"],
        minor_mistake=tally["minor_mistake"],
        wrong=tally["wrong"],
        missing=tally["missing"],
        pending=tally["pending"],
        extra=len(feedback.extra_words),
        not_judged=tally["not_judged"],
    )
    little_of_it = feedback.quality.reason is not None and 2 * len(recited) < len(feedback.words)
    if not recited or feedback.notice is not None or little_of_it:
        return Score(None, 0.0, counts, None, None)
    share = sum(WEIGHTS[word.status] for word in recited) / len(recited)
    penalty = min(EXTRA_PENALTY_CAP, EXTRA_PENALTY * counts.extra)
    mistakes = counts.minor_mistake + counts.wrong + counts.missing + counts.extra
    return Score(
        accuracy=round(100 * max(0.0, share - penalty), 1),
        coverage=round(len(recited) / len(feedback.words), 4),
        counts=counts,
        wer=round(mistakes / len(recited), 4),
        cer=_unit_error_rate(recited),
    )


def _unit_error_rate(recited: list[WordFeedback]) -> float:
    apart = total = 0
    for word in recited:
        expected, heard = _units(word)
        apart += Levenshtein.distance(expected, heard)
        total += len(expected)
    return round(apart / max(1, total), 4)


def _units(word: WordFeedback) -> tuple[list[str], list[str]]:
    """Expected and heard units of a word: its sounds, or the letters of its skeleton."""
    if word.expected is not None and word.expected != word.word:
        return word.expected.split(), (word.heard or "").split()
    letters = list(skeleton(word.word, "uthmani"))
    # A word judged correct is the same word, however its engine spells it.
    return letters, letters if word.status == "correct" else list(skeleton(word.heard or ""))
