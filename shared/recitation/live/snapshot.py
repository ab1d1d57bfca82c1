"""The compact form of a tracker's state, for moving a session between processes."""

from __future__ import annotations

from itertools import compress, islice
from operator import is_not
from typing import Final, Generic, TypeVar

import msgspec

from shared.recitation.grading.grader import Grader, Verdict
from shared.recitation.grading.passage_fit import FitState
from shared.recitation.grading.smoothing import NOT_JUDGED, WordState
from shared.recitation.live.feedback import Gap, Repeat, WordStatus
from shared.recitation.live.word_tracker import WordTrackerState

U = TypeVar("U")
V = TypeVar("V")

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
    mistakes: dict[int, int] = {}


class TrackerPacker(Generic[U]):
    """Packs the states of one tracker, again and again: what has not changed since is packed already.

    A tracker only adds words, and its verdicts and word states are never altered, only replaced.
    """

    def __init__(self, grader: Grader[U]) -> None:
        self._grader = grader
        # By word, what was packed last, and how: at most one entry for each word of the passage.
        self._seen_settled: dict[int, Verdict] = {}
        self._seen_words: dict[int, WordState] = {}
        self._settled: dict[int, Verdict] = {}
        self._words: dict[int, PackedWord] = {}
        self._not_judged: dict[int, None] = {}

    def pack(self, state: WordTrackerState[U]) -> PackedWordTracker[U]:
        """The packed state; `unpack` gives back exactly the same."""
        newly_settled = _replaced(state.settled, self._seen_settled)
        for index in newly_settled:
            verdict = self._seen_settled[index] = state.settled[index]
            self._settled[index] = _short(verdict, self._grader.expected(index))
        changed = _replaced(state.words, self._seen_words)
        for index in {**dict.fromkeys(changed), **dict.fromkeys(newly_settled)}:
            if (word := state.words.get(index)) is not None:
                self._seen_words[index] = word
                self._pack_word(index, word, state.settled.get(index))
        return PackedWordTracker(
            state.units,
            state.fresh,
            state.end_ms,
            self._grader.saved_position(state.start),
            self._settled.copy(),
            self._words.copy(),
            state.extras,
            state.repeats,
            state.reach,
            state.floor,
            state.furthest,
            state.fit,
            state.gaps,
            list(self._not_judged),
            state.poor,
            state.mistakes,
        )

    def _pack_word(self, index: int, word: WordState, settled: Verdict | None) -> None:
        if word.status == "not_judged":
            self._words.pop(index, None)
            self._not_judged[index] = None
            return
        verdict: Verdict | bool | None = word.verdict
        if word.verdict is not None:
            same = word.verdict == settled
            verdict = _AS_SETTLED if same else _short(word.verdict, self._grader.expected(index))
        self._not_judged.pop(index, None)
        self._words[index] = (
            _STATUSES.index(word.status),
            word.final,
            verdict,
            word.suggested,
            word.agreed,
        )


def _replaced(now: dict[int, V], seen: dict[int, V]) -> list[int]:
    """Whose values are other objects than those seen; both dicts have the same order, `now` may have more."""
    same_place = compress(now, map(is_not, now.values(), seen.values()))
    return [*same_place, *islice(now, len(seen), None)]


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
        packed.mistakes,
    )


def _short(verdict: Verdict, expected: str) -> Verdict:
    return msgspec.structs.replace(verdict, heard=_AS_EXPECTED) if verdict.heard == expected else verdict


def _full(verdict: Verdict, expected: str) -> Verdict:
    return msgspec.structs.replace(verdict, heard=expected) if verdict.heard == _AS_EXPECTED else verdict
