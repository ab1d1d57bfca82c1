"""Whether what is heard is this passage at all: by runs of its words, one after the other.

Some words of any passage can be found in noise, in sound at a wrong sample rate or in another passage. But
they are found one by one, here and there; whoever recites the passage says its words in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from shared.recitation.alignment.visits import PathEvents, Visit
from shared.recitation.grading.grader import WRONG, Grader
from shared.recitation.grading.policy import FitLimits
from shared.recitation.grading.verdicts import Verdicts

U = TypeVar("U")


class FitState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of the settled units: how many were heard, and how many of them in long runs; in all, and lately (older
    ones count less). The run that may go on in the open units: its last reference word, units and words."""

    heard: int = 0
    fitting: int = 0
    lately_heard: int = 0
    lately_fitting: int = 0
    word: int = -1
    units: int = 0
    words: int = 0


@dataclass(slots=True)
class Run:
    """Accepted visits to words that follow each other: their places among the visits, what they add up to."""

    word: int
    last_unit: int
    units: int
    words: int
    visits: list[Visit]
    earlier_units: int = 0
    """Of `units`, those settled before."""


class Fit(msgspec.Struct, frozen=True, gc=False):
    """How the open units fit, the settled ones considered. `runs`: only those long enough to be believed.

    `poor`: whether the sound is said to be poor. `done`: whether this is all that was heard.
    """

    runs: tuple[Run, ...]
    heard: int
    fitting: int
    lately_heard: int
    lately_fitting: int
    limits: FitLimits
    poor: bool = False
    done: bool = False

    @property
    def doubtful(self) -> bool:
        """What was heard lately, or in all, is hardly this passage: only long runs can be believed."""
        if self.another_passage:
            return True
        enough = self.lately_heard >= self.limits.least_units
        least = self.limits.poor_share if self.poor else self.limits.least_share
        return enough and self.lately_fitting < least * self.lately_heard

    @property
    def trusted(self) -> bool:
        """Enough was heard, and it is this passage: a word that was passed over was left out."""
        enough = self.heard >= self.limits.least_units
        return enough and self.lately_fitting >= self.limits.trusted_share * self.lately_heard

    @property
    def another_passage(self) -> bool:
        """The same of all that was heard, at its end, and there was enough of it to say so."""
        enough = self.done and self.heard >= self.limits.certain_units
        return enough and self.fitting < self.limits.whole_share * self.heard

    @property
    def lately_another(self) -> bool:
        """The same of what was heard lately."""
        enough = self.lately_heard >= self.limits.certain_units
        return enough and self.lately_fitting < self.limits.least_share * self.lately_heard

    def believed(self, verdicts: Verdicts) -> Verdicts:
        """The verdicts that count: all, or in doubt only those on words in long runs."""
        if not self.doubtful:
            return verdicts
        last_units = {visit.last_unit for run in self.runs for visit in run.visits}
        return Verdicts(
            tuple(entry for entry in verdicts.entries if entry.last_unit in last_units), verdicts.explained
        )


def measure_fit(
    grader: Grader[U],
    events: PathEvents,
    verdicts: Verdicts,
    units: Sequence[U],
    state: FitState,
    *,
    poor: bool = False,
    done: bool = False,
) -> Fit:
    """How far the open units, after those of `state`, are runs of the passage's words.

    `poor`: the sound is said to be poor, so that less is believed. `done`: nothing more will come.
    """
    runs, formulas = _runs(grader, events.visits, verdicts, state)
    heard = len(units) - formulas
    long, fitting = _long(runs, state.heard + heard, state, grader.fit_limits)
    if poor:
        long, _ = _long(runs, state.heard + heard, state, grader.fit_limits.in_poor_sound())
    return Fit(
        tuple(long),
        state.heard + heard,
        state.fitting + fitting,
        state.lately_heard + heard,
        state.lately_fitting + fitting,
        grader.fit_limits,
        poor,
        done,
    )


def settled_fit(
    grader: Grader[U], events: PathEvents, verdicts: Verdicts, border: int, state: FitState
) -> FitState:
    """The state once the units before `border` are settled; a border is the first unit of a visit."""
    limits = grader.fit_limits
    visits = [visit for visit in events.visits if visit.last_unit < border]
    runs, formulas = _runs(grader, visits, verdicts, state)
    heard = border - formulas
    _, fitting = _long(runs, state.heard + heard, state, limits)
    lately_heard, lately_fitting = state.lately_heard + heard, state.lately_fitting + fitting
    while lately_heard > limits.lately_units:
        lately_heard, lately_fitting = lately_heard // 2, lately_fitting // 2
    totals = (state.heard + heard, state.fitting + fitting, lately_heard, lately_fitting)
    if not runs or border - runs[-1].last_unit - 1 > limits.gap_units:
        return FitState(*totals)
    return FitState(*totals, runs[-1].word, runs[-1].units, runs[-1].words)


def _long(runs: Sequence[Run], heard: int, state: FitState, limits: FitLimits) -> tuple[list[Run], int]:
    """The long ones of these runs after `heard` units in all, and how many units of theirs are new."""
    # Of little that was heard, a run that is most of it is long.
    least = min(float(limits.run_units), heard / 2)
    long = [run for run in runs if run.units >= least and run.words >= limits.run_words]
    was_long = state.units >= limits.run_units and state.words >= limits.run_words
    return long, sum(run.units - (run.earlier_units if was_long else 0) for run in long)


def _runs(
    grader: Grader[U], visits: Sequence[Visit], verdicts: Verdicts, state: FitState
) -> tuple[list[Run], int]:
    """All runs, and how many units belong to optional formulas, which say nothing of the passage."""
    limits, word_index = grader.fit_limits, grader.reference.word_index
    accepted = {
        (entry.index, entry.last_unit)
        for entry in verdicts.entries
        if entry.verdict.grade != WRONG and entry.verdict.error <= limits.run_error
    }
    runs: list[Run] = []
    formulas = 0
    if state.word >= 0:
        runs.append(Run(state.word, -1, state.units, state.words, [], state.units))
    last = runs[-1] if runs else None
    for visit in visits:
        index = word_index[visit.word]
        if index is None:
            formulas += len(visit.matched)
            continue
        last_unit = visit.last_unit
        if (index, last_unit) not in accepted:
            continue
        if last is None or not _follows(visit, last, limits):
            last = Run(visit.word, last_unit, 0, 0, [])
            runs.append(last)
        last.word, last.last_unit = visit.word, last_unit
        last.units += len(visit.matched)
        last.words += 1
        last.visits.append(visit)
    return runs, formulas


def _follows(visit: Visit, run: Run, limits: FitLimits) -> bool:
    """Whether a visit goes on with a run; one word between may be wrong or left out."""
    ahead = visit.word - run.word
    return 1 <= ahead <= limits.gap_words + 1 and visit.first_unit - run.last_unit - 1 <= limits.gap_units
