"""What the word tracker needs from each kind of engine: units of hearings, verdicts on visits to words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

import msgspec

from shared.hearing import Hearing
from shared.recitation.alignment.reference_units import MoveCosts, ReferenceUnits
from shared.recitation.alignment.visits import Visit
from shared.recitation.grading.policy import FitLimits

U = TypeVar("U")

Grade = Literal[0, 1, 2]
CORRECT: Grade = 0
MINOR: Grade = 1
WRONG: Grade = 2


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How one visit to a word went. `error` and `confidence` in hundredths; times in session ms."""

    grade: Grade
    error: int
    confidence: int
    heard: str
    start_ms: int | None
    end_ms: int | None

    def beats(self, other: Verdict) -> bool:
        """A better reading replaces a worse one; of two equally wrong ones the later stands."""
        return (self.grade, self.error) < (other.grade, other.error)


class Grader(Protocol[U]):
    """What the tracker needs to know about one kind of engine."""

    @property
    def reference(self) -> ReferenceUnits[U]: ...

    @property
    def costs(self) -> MoveCosts: ...

    @property
    def replaced_share(self) -> float:
        """If at least this share of some words' units was heard, they were said differently, not left out."""
        ...

    @property
    def fit_limits(self) -> FitLimits:
        """When what is heard is taken for the passage."""
        ...

    @property
    def settle_units(self) -> int:
        """The newest heard units whose alignment stays open; older ones may be settled."""
        ...

    @property
    def settle_batch(self) -> int:
        """Units settled at once, at least."""
        ...

    def units(self, hearing: Hearing) -> list[U]:
        """What the window holds, times in session ms."""
        ...

    def join(self, old: Sequence[U], new: Sequence[U], overlap: tuple[int, int]) -> tuple[int, list[U]]:
        """Continue `old` with an overlapping window: how many of `old` to keep, and what follows them.

        `overlap` is the audio that both windows heard, ms; its ends are equal or crossed if there is none.
        """
        ...

    def composed(self, units: Sequence[U]) -> list[tuple[U, int]]:
        """The units as the reference spells them, each with how many heard units it is made of."""
        ...

    def too_slow(self, units: Sequence[U]) -> bool:
        """Whether these units are said so slowly that a mistake cannot be told from a mishearing."""
        ...

    def judge(self, visit: Visit, units: Sequence[U], noise: float | None) -> Verdict | None:
        """The grade of a visit; `None` when too little of the word was heard to call it said."""
        ...

    def may_be_stray(self, units: Sequence[U]) -> bool:
        """Whether units that fit no word may be the rest of another word, said in the place of one beside."""
        ...

    def judge_with_strays(
        self, own: Verdict, visit: Visit, units: Sequence[U], noise: float | None
    ) -> Verdict | None:
        """The verdict on a visit with its strays (`own`: without them); `None` if it stays the same."""
        ...

    def judge_replaced(self, units: Sequence[U]) -> Verdict:
        """The verdict on a word instead of which these units were said."""
        ...

    def extra(self, units: Sequence[U]) -> str | None:
        """Units outside every word as one remark; `None` when they are too few to mention."""
        ...

    def saved_position(self, position: int) -> int:
        """A position of the reference in terms that later versions understand."""
        ...

    def position(self, saved: int) -> int:
        """The position that was saved so."""
        ...

    def expected(self, index: int) -> str:
        """The reference word `index` in this engine's terms."""
        ...

    def expected_as(self, index: int, heard: str) -> str:
        """The same, in the pronunciation that is nearest to what was heard."""
        ...
