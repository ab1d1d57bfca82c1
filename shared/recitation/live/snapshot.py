"""The compact form of a tracker's state, for moving a session between processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from shared.recitation.grading.grader import Verdict
from shared.recitation.grading.smoothing import WordState
from shared.recitation.live.feedback import Repeat, WordStatus
from shared.recitation.live.word_tracker import WordTrackerState

U = TypeVar("U")
Expected = Callable[[int], str]
"""The reference word at an index, in the engine's terms."""

_STATUSES: Final[tuple[WordStatus, ...]] = ("pending", "correct", "minor_mistake", "wrong", "missing")
_AS_EXPECTED: Final = "="
_AS_SETTLED: Final = True
PackedWord = tuple[int, bool, Verdict | bool | None, int | None, int]


class PackedWordTracker(msgspec.Struct, Generic[U], frozen=True, array_like=True):
    """A `WordTrackerState` without what can be looked up or is there twice."""

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


def pack(state: WordTrackerState[U], expected: Expected) -> PackedWordTracker[U]:
    """The packed state; `unpack` gives back exactly the same."""
    settled = {index: _short(verdict, expected(index)) for index, verdict in state.settled.items()}
    words: dict[int, PackedWord] = {}
    for index, word in state.words.items():
        verdict: Verdict | bool | None = word.verdict
        if word.verdict is not None:
            same = word.verdict == state.settled.get(index)
            verdict = _AS_SETTLED if same else _short(word.verdict, expected(index))
        words[index] = (_STATUSES.index(word.status), word.final, verdict, word.suggested, word.agreed)
    return PackedWordTracker(
        state.units,
        state.fresh,
        state.end_ms,
        state.start,
        settled,
        words,
        state.extras,
        state.repeats,
        state.reach,
        state.floor,
        state.furthest,
    )


def unpack(packed: PackedWordTracker[U], expected: Expected) -> WordTrackerState[U]:
    """The state a packed one was made of."""
    settled = {index: _full(verdict, expected(index)) for index, verdict in packed.settled.items()}
    words = {}
    for index, (status, final, verdict, suggested, agreed) in packed.words.items():
        full = _full(verdict, expected(index)) if isinstance(verdict, Verdict) else None
        known = settled[index] if verdict is _AS_SETTLED else full
        words[index] = WordState(_STATUSES[status], final, known, suggested, agreed)
    return WordTrackerState(
        packed.units,
        packed.fresh,
        packed.end_ms,
        packed.start,
        settled,
        words,
        packed.extras,
        packed.repeats,
        packed.reach,
        packed.floor,
        packed.furthest,
    )


def _short(verdict: Verdict, expected: str) -> Verdict:
    return msgspec.structs.replace(verdict, heard=_AS_EXPECTED) if verdict.heard == expected else verdict


def _full(verdict: Verdict, expected: str) -> Verdict:
    return msgspec.structs.replace(verdict, heard=expected) if verdict.heard == _AS_EXPECTED else verdict
