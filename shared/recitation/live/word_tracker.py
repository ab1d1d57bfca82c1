"""Follows one reciter through a passage: open units, their alignment, the state of every word.

Only the newest units may still be aligned differently. Older ones are settled: the verdicts on their words
are kept and the alignment starts again at a word border, so that a window costs the same after an hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Generic, TypeVar

import msgspec

from shared.hearing import Hearing
from shared.recitation.alignment.visits import PathEvents, Visit, read_path
from shared.recitation.alignment.viterbi import Path, ViterbiAligner
from shared.recitation.grading.grader import CORRECT, WRONG, Grader, Verdict
from shared.recitation.grading.passage_fit import Fit, FitState, measure_fit, settled_fit
from shared.recitation.grading.policy import FeedbackPolicy
from shared.recitation.grading.smoothing import NOT_JUDGED, UNTOUCHED, Evidence, WordState, next_state
from shared.recitation.grading.stray_sounds import strays, strays_still_open
from shared.recitation.grading.verdicts import Verdicts, judge_visits, keep_better, only_correct
from shared.recitation.live.audio_gaps import (
    add_gap,
    clear_of_poor_sound,
    end_last_gap,
    unheard_words,
    without_cut_words,
    words_between,
)
from shared.recitation.live.feedback import Gap, NoticeCode, Repeat
from shared.recitation.live.other_passage import note_mistakes, unfounded_mistakes
from shared.recitation.live.remarks import extra_words, pointer, repeats

U = TypeVar("U")


class WordTrackerState(msgspec.Struct, Generic[U], array_like=True):
    """All that a tracker remembers; times in session ms, `start` in reference units."""

    units: list[U] = []
    fresh: int = 0
    """Index of the first unit that the newest window may still revise."""
    end_ms: int = 0
    start: int = 0
    settled: dict[int, Verdict] = {}
    words: dict[int, WordState] = {}
    extras: list[str] = []
    repeats: list[Repeat] = []
    reach: int = -1
    """The furthest word recited, by settled visits."""
    floor: int = 0
    """Every word before this one is final."""
    furthest: int = -1
    """No word after this one has ever been judged."""
    fit: FitState = FitState()
    gaps: list[Gap] = []
    poor: list[Gap] = []
    """Audio that was too poor to find mistakes in."""
    mistakes: dict[int, int] = {}
    """Words settled lately as mistakes, and how many units had been heard then."""


class TrackerUpdate(msgspec.Struct, frozen=True, gc=False):
    """What one alignment of the open units says."""

    changed: tuple[int, ...]
    extras: tuple[str, ...]
    repeats: tuple[Repeat, ...]
    pointer: int
    completed: bool
    notice: NoticeCode | None = None


class WordTracker(Generic[U]):
    """One session with one kind of engine."""

    def __init__(
        self, grader: Grader[U], policy: FeedbackPolicy, words: int, state: WordTrackerState[U] | None = None
    ) -> None:
        self._grader = grader
        self._policy = policy
        self._words = words
        self.state: WordTrackerState[U] = WordTrackerState() if state is None else state
        self._aligner = self._new_aligner(policy.words_behind, policy.words_ahead, pace=0.0)
        self._wider: ViterbiAligner[U] | None = None
        """An aligner with a wider search band from the same start; only while the reciter is lost."""
        self._pace = 0.0
        """What the newest units cost each on the path that was taken last."""
        self.lately = (0, 0)
        """Units heard lately, and how many of them are runs of the passage."""

    def hear(self, hearing: Hearing, poor: bool = False) -> TrackerUpdate:
        """Take the next window. `poor`: the sound was said to be poor before it."""
        state = self.state
        state.gaps = end_last_gap(state.gaps, hearing.start_ms)
        new = self._grader.units(hearing)
        keep, follows = self._grader.join(state.units[state.fresh :], new, (hearing.start_ms, state.end_ms))
        state.fresh += keep
        state.units[state.fresh :] = follows
        state.end_ms = max(state.end_ms, hearing.end_ms)
        return self._align_and_judge(False, poor)

    def miss(self, start_ms: int, end_ms: int) -> None:
        """Audio that will never be heard: what may have been recited in it is not judged."""
        state = self.state
        known = state.words.get(state.furthest, UNTOUCHED).status == "correct"
        gap = Gap(max(start_ms, state.end_ms), end_ms, max(0, state.furthest + known))
        state.gaps = add_gap(state.gaps, gap, self._policy.gaps)

    def doubt(self, start_ms: int, end_ms: int) -> None:
        """Audio that was heard, but is too poor to find mistakes in: what is not correct in it stays open."""
        self.state.poor = add_gap(self.state.poor, Gap(start_ms, end_ms), self._policy.gaps)

    def finish(self, poor: bool = False) -> TrackerUpdate:
        """Nothing more will come: decide what was still open."""
        return self._align_and_judge(True, poor)

    @property
    def grader(self) -> Grader[U]:
        return self._grader

    def expected_as(self, index: int, heard: str) -> str:
        """The same, in the pronunciation that is nearest to what was heard."""
        return self._grader.expected_as(index, heard)

    def _new_aligner(self, behind: int, ahead: int, pace: float) -> ViterbiAligner[U]:
        reference = self._grader.reference
        start = min(self.state.start, int(reference.starts[-1]))
        word = int(reference.word_of[min(start, len(reference.word_of) - 1)])
        first, last = max(0, word - behind), min(reference.words, word + ahead)
        return ViterbiAligner(reference, self._grader.costs, start, first, last, pace)

    def _align_and_judge(self, done: bool, poor: bool) -> TrackerUpdate:
        composed = self._grader.composed(self.state.units)
        units = [unit for unit, _ in composed]
        path = self._path(units)
        events = read_path(self._grader.reference, path)
        verdicts = self._judge(events, units, done)
        fit = measure_fit(self._grader, events, verdicts, units, self.state.fit, poor=poor, done=done)
        self.lately = (fit.lately_heard, fit.lately_fitting)
        state = self.state
        verdicts = clear_of_poor_sound(
            fit.believed(verdicts), state.poor, round(100 * self._policy.sounds.minor_error)
        )
        verdicts = without_cut_words(verdicts, [*state.gaps, *state.poor], self._policy.gap_edge_ms)
        too_slow = self._grader.too_slow(units)
        if too_slow:
            verdicts = only_correct(verdicts)
        judged = self._best(verdicts)
        reach = max([self.state.reach, *(i for i, j in judged.items() if done or j.grade != WRONG)])
        trusted = fit.trusted or (done and not fit.doubtful)
        changed = self._smooth(judged, reach, done, trusted, too_slow)
        another = not too_slow and (fit.another_passage if done else fit.lately_another)
        taken_back = self._take_back(changed, fit, another)
        update = self._update(events, verdicts, units, path, (*changed, *taken_back), reach)
        if another:
            update = msgspec.structs.replace(update, notice="not_this_passage")
        if not done:
            self._settle(events, verdicts, path, units, [size for _, size in composed])
        return update

    def _path(self, units: list[U]) -> Path:
        path = self._aligner.path(units)
        self._pace = self._aligner.pace
        recent = min(len(units), self._grader.settle_units)
        if self._aligner.recent_cost(recent) <= self._policy.lost_cost * 100 * max(recent, 8):
            self._wider = None
            return path
        if self._wider is None:
            far = self._policy.lost_words
            self._wider = self._new_aligner(far, far, self._aligner.pace)
        wider = self._wider.path(units)
        if wider.cost + self._policy.lost_gain > path.cost:
            return path
        self._pace = self._wider.pace
        return wider

    # -- judging -----------------------------------------------------------------------------
    def _judge(self, events: PathEvents, units: list[U], done: bool) -> Verdicts:
        visits = events.visits
        if visits and not events.complete and (not done or self._cut_short(visits[-1])):
            visits = visits[:-1]
        if not done and strays_still_open(self._grader, events, visits, units):
            visits = visits[:-1]
        enough = self._grader.replaced_share
        verdicts = judge_visits(self._grader, events, visits, units, 0.0, enough)
        noise = self._noise(verdicts)
        return verdicts if noise == 0 else judge_visits(self._grader, events, visits, units, noise, enough)

    def _noise(self, verdicts: Verdicts) -> float | None:
        """The median error of the words recited lately: how badly this voice is heard, 0-1.

        `None` while the voice is not known.
        """
        grading = self._policy.sounds
        errors = {index: verdict.error for index, verdict in verdicts.best().items()}
        latest = max([self.state.reach, *errors])
        recent = range(max(0, latest + 1 - grading.noise_words), latest + 1)
        known = [
            errors[index] if index in errors else self.state.settled[index].error
            for index in recent
            if index in errors or index in self.state.settled
        ]
        return median(known) / 100 if len(known) >= grading.noise_least_words else None

    def _best(self, verdicts: Verdicts) -> dict[int, Verdict]:
        """The best verdict on every word of the open units, settled visits included."""
        judged = verdicts.best()
        for index in judged:
            if index in self.state.settled:
                keep_better(judged, index, self.state.settled[index])
        return judged

    def _cut_short(self, visit: Visit) -> bool:
        """Whether the reciter stopped before the last third of the word."""
        reference = self._grader.reference
        start, stop = (reference.required[at] for at in reference.bounds(visit.word))
        return (reference.required[visit.matched[-1][0] + 1] - start) * 3 < (stop - start) * 2

    def _smooth(
        self, judged: dict[int, Verdict], reach: int, done: bool, trusted: bool, too_slow: bool
    ) -> tuple[int, ...]:
        state = self.state
        unheard: set[int] = set()
        if state.gaps or state.poor:
            heard = {**state.settled, **judged}
            unheard = unheard_words(state.gaps, heard) | words_between([*state.gaps, *state.poor], heard)
        state.furthest = max(state.furthest, reach, *judged, -1)
        open_words = {i for i in range(state.floor, state.furthest + 1) if not self._is_closed(i)}
        changed = []
        for index in sorted(open_words | judged.keys()):
            verdict = judged.get(index) or state.settled.get(index)
            past = done or reach - index >= self._policy.settle_words
            if verdict is not None and verdict.grade != CORRECT:
                past = past and trusted  # what is another passage is known to be one only after a while
            before = state.words.get(index, UNTOUCHED)
            passed_over = index < reach and trusted
            evidence = Evidence(verdict, past, passed_over, too_slow or index in unheard)
            after = next_state(before, evidence, self._policy.agreeing_windows)
            if after != before:
                state.words[index] = after
                changed.append(index)
        while self._is_closed(state.floor):
            state.floor += 1
        return tuple(changed)

    def _take_back(self, changed: Iterable[int], fit: Fit, another: bool) -> tuple[int, ...]:
        """The words that are not judged now, though they were mistakes."""
        state = self.state
        state.mistakes = note_mistakes(state.mistakes, state.words, changed, fit)
        taken = unfounded_mistakes(state.mistakes, state.words, fit) if another else ()
        for index in taken:
            state.words[index] = NOT_JUDGED
        return taken

    def _is_closed(self, index: int) -> bool:
        """Whether the word's state stays unless it is recited again."""
        state = self.state.words.get(index, UNTOUCHED)
        return state.final or state.status == "not_judged"

    # -- reporting -----------------------------------------------------------------------------
    def _update(
        self,
        events: PathEvents,
        verdicts: Verdicts,
        units: list[U],
        path: Path,
        changed: tuple[int, ...],
        reach: int,
    ) -> TrackerUpdate:
        # The newest run may yet turn out to be the beginning of a word.
        extras = extra_words(self._grader, events, verdicts, units, len(units) - 1)
        jumps = repeats(self._grader.reference, events, len(units))
        kept = self._policy.remarks
        return TrackerUpdate(
            changed=changed,
            extras=tuple([*self.state.extras, *extras][-kept:]),
            repeats=tuple([*self.state.repeats, *jumps][-kept:]),
            pointer=pointer(self._grader.reference, path.end, self._words),
            completed=reach >= self._words - 1,
        )

    # -- settling ----------------------------------------------------------------------------
    def _settle(
        self, events: PathEvents, verdicts: Verdicts, path: Path, units: list[U], sizes: list[int]
    ) -> None:
        """Keep the verdicts on what is old enough and start the alignment again after it."""
        border, start = self._border(events, path, units, self._settled_by(sizes))
        if border is None:
            return
        state, kept = self.state, self._policy.remarks
        state.fit = settled_fit(self._grader, events, verdicts, border, state.fit)
        for index, verdict in verdicts.best(border).items():
            keep_better(state.settled, index, verdict)
            if verdict.grade != WRONG:
                state.reach = max(state.reach, index)
        state.extras = [*state.extras, *extra_words(self._grader, events, verdicts, units, border)][-kept:]
        state.repeats = [*state.repeats, *repeats(self._grader.reference, events, border + 1)][-kept:]
        heard = sum(sizes[:border])
        del state.units[:heard]
        state.fresh = max(0, state.fresh - heard)
        state.start = start
        behind, ahead = self._policy.words_behind, self._policy.words_ahead
        self._aligner, self._wider = self._new_aligner(behind, ahead, self._pace), None

    def _settled_by(self, sizes: list[int]) -> int:
        """How many leading (composed) units no later window can revise."""
        heard = 0
        for count, size in enumerate(sizes):
            heard += size
            if heard > self.state.fresh:
                return count
        return len(sizes)

    def _border(
        self, events: PathEvents, path: Path, units: list[U], revisable: int
    ) -> tuple[int | None, int]:
        """The unit from which the alignment may start again, and its reference position."""
        latest = min(revisable, len(units) - self._grader.settle_units)
        starts = self._grader.reference.starts
        # A word is judged by the strays before it, too.
        with_strays = {last + 1 for _, last in strays(self._grader, events, units)}
        due = [visit for visit in events.visits if self._grader.settle_batch <= visit.first_unit <= latest]
        if due:
            visit = max(due, key=lambda visit: (visit.first_unit not in with_strays, visit.first_unit))
            return visit.first_unit, int(starts[visit.word])
        if len(units) <= self._policy.open_units:
            return None, 0
        border = len(units) - self._grader.settle_units
        return border, path.steps[border].position
