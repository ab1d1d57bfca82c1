"""The compact form of a tracker's state, for moving a session between processes."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import msgspec

from shared.recitation.grading.grader import Grader, Verdict
from shared.recitation.grading.passage_fit import FitState
from shared.recitation.grading.smoothing import NOT_JUDGED, WordState
from shared.recitation.live.feedback import Gap, Repeat, WordStatus
from shared.recitation.live.word_tracker import WordTrackerState

U = TypeVar("U")

_STATUSES: Final[tuple[WordStatus, ...]] = ("pending", "correct", "minor_mistake", "wrong", "missing")
_AS_EXPECTED: Final = "="
_AS_SETTLED: Final = True
PackedWord = tuple[int, bool, Verdict | bool | None, int | None, int]


class PackedWordTracker(msgspec.Struct, Generic[U], frozen=True, array_like=True):
    """A `WordTrackerState` without what can be looked up or is there twice.

    Fields are only ever added at the end, with a default: so the version before reads what this one writes,
    and this one what that one wrote. `start` is a `Grader.saved_position`. Words that are not judged are
    apart, as the version before has no such state; it takes them for words that were not reached.
    """

    units: list[U]
    fresh: int
    end_ms: int
    start: int
    settled: dict[int, Verdict]
    words: dict[int, PackedWord]
    extras: list[str]
    repeats: list[Repeat]
    reach: int
    floor: int
    furthest: int
    fit: FitState = FitState()
    gaps: list[Gap] = []
    not_judged: list[int] = []
    poor: list[Gap] = []


class TrackerPacker(Generic[U]):
    """Packs the states of one tracker, again and again: what has not changed since is packed already."""

    def __init__(self, grader: Grader[U]) -> None:
        self._grader = grader
        # By word, what was packed and how: at most one entry for each word of the passage.
        self._settled: dict[int, tuple[Verdict, Verdict]] = {}
        self._words: dict[int, tuple[WordState, Verdict | None, PackedWord]] = {}

    def pack(self, state: WordTrackerState[U]) -> PackedWordTracker[U]:
        """The packed state; `unpack` gives back exactly the same."""
        settled: dict[int, Verdict] = {}
        for index, verdict in state.settled.items():
            last = self._settled.get(index)
            if last is None or last[0] is not verdict:
                last = self._settled[index] = verdict, _short(verdict, self._grader.expected(index))
            settled[index] = last[1]
        words: dict[int, PackedWord] = {}
        not_judged: list[int] = []
        for index, word in state.words.items():
            if word.status == "not_judged":
                not_judged.append(index)
                continue
            known, before = state.settled.get(index), self._words.get(index)
            if before is None or before[0] is not word or before[1] is not known:
                before = self._words[index] = word, known, self._word(index, word, known)
            words[index] = before[2]
        return PackedWordTracker(
            state.units,
            state.fresh,
            state.end_ms,
            self._grader.saved_position(state.start),
            settled,
            words,
            state.extras,
            state.repeats,
            state.reach,
            state.floor,
            state.furthest,
            state.fit,
            state.gaps,
            not_judged,
            state.poor,
        )

    def _word(self, index: int, word: WordState, settled: Verdict | None) -> PackedWord:
        verdict: Verdict | bool | None = word.verdict
        if word.verdict is not None:
            same = word.verdict == settled
            verdict = _AS_SETTLED if same else _short(word.verdict, self._grader.expected(index))
        return _STATUSES.index(word.status), word.final, verdict, word.suggested, word.agreed


def unpack(packed: PackedWordTracker[U], grader: Grader[U]) -> WordTrackerState[U]:
    """The state a packed one was made of."""
    expected = grader.expected
    settled = {index: _full(verdict, expected(index)) for index, verdict in packed.settled.items()}
    words = dict.fromkeys(packed.not_judged, NOT_JUDGED)
    for index, (status, final, verdict, suggested, agreed) in packed.words.items():
        full = _full(verdict, expected(index)) if isinstance(verdict, Verdict) else None
        known = settled[index] if verdict is _AS_SETTLED else full
        words[index] = WordState(_STATUSES[status], final, known, suggested, agreed)
    return WordTrackerState(
        packed.units,
        packed.fresh,
        packed.end_ms,
        grader.position(packed.start),
        settled,
        words,
        packed.extras,
        packed.repeats,
        packed.reach,
        packed.floor,
        packed.furthest,
        packed.fit,
        packed.gaps,
        packed.poor,
    )


def _short(verdict: Verdict, expected: str) -> Verdict:
    return msgspec.structs.replace(verdict, heard=_AS_EXPECTED) if verdict.heard == expected else verdict


def _full(verdict: Verdict, expected: str) -> Verdict:
    return msgspec.structs.replace(verdict, heard=expected) if verdict.heard == _AS_EXPECTED else verdict
