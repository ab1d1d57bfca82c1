"""From what each window suggests to what the reciter is shown: mistakes wait until windows agree."""

from __future__ import annotations

import msgspec

from shared.recitation.grading.grader import CORRECT, MINOR, WRONG, Verdict
from shared.recitation.live.feedback import WordStatus

STATUS_OF_GRADE: dict[int, WordStatus] = {CORRECT: "correct", MINOR: "minor_mistake", WRONG: "wrong"}
_RANK: dict[WordStatus, int] = {
    "correct": 0,
    "minor_mistake": 1,
    "wrong": 2,
    "missing": 3,
    "pending": 4,
    "not_judged": 5,
}


class WordState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One word as shown, and how long the windows have agreed on the latest suggestion."""

    status: WordStatus = "pending"
    final: bool = False
    verdict: Verdict | None = None
    suggested: int | None = None
    agreed: int = 0


UNTOUCHED = WordState()
NOT_JUDGED = WordState("not_judged")


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What the newest window says of one word.

    `past`: the reciter has gone on far enough that the word will hardly be revised.
    `passed_over`: something after the word was recited; so if it was not heard, it was left out.
    `unheard`: it may have been recited in audio that was lost.
    """

    verdict: Verdict | None
    past: bool
    passed_over: bool
    unheard: bool = False


def next_state(state: WordState, evidence: Evidence, agreeing_windows: int) -> WordState:
    """The word's state after one more window. A final state only ever changes for the better."""
    verdict = evidence.verdict
    if state.status == "not_judged":
        if verdict is None:
            return state
        state = UNTOUCHED
    if state.final:
        return _healed(state, verdict)
    if verdict is None:
        if evidence.unheard:
            return NOT_JUDGED if evidence.past else UNTOUCHED
        missing = evidence.past and evidence.passed_over
        return WordState("missing", True) if missing else UNTOUCHED
    agreed = state.agreed + 1 if state.suggested == verdict.grade else 1
    steady = agreed >= agreeing_windows
    if verdict.grade == CORRECT:
        return WordState("correct", evidence.past or steady, verdict, CORRECT, agreed)
    if evidence.past or steady:
        status = STATUS_OF_GRADE[verdict.grade]
        return WordState(status, evidence.past, verdict, verdict.grade, agreed)
    return WordState("pending", False, verdict, verdict.grade, agreed)


def _healed(state: WordState, verdict: Verdict | None) -> WordState:
    if verdict is None:
        return state
    status = STATUS_OF_GRADE[verdict.grade]
    if status == state.status and state.verdict is not None and _goes_on(state.verdict, verdict):
        return WordState(status, True, verdict)
    return WordState(status, True, verdict) if _RANK[status] < _RANK[state.status] else state


def _goes_on(earlier: Verdict, later: Verdict) -> bool:
    """Whether it is the same saying of the word, whose last sound is still held."""
    if earlier.end_ms is None or later.end_ms is None:
        return False
    return earlier.start_ms == later.start_ms and later.end_ms > earlier.end_ms
