"""Follows one reciter through a passage: open units, the walk over them, the state of every word.

Only the newest units are open to reinterpretation. What lies further back is settled: its visits are
booked and the walk starts afresh at a word border, so that a window costs the same after an hour.
"""

from __future__ import annotations

from statistics import median
from typing import Generic, TypeVar

import msgspec

from shared.hearing import Hearing
from shared.recitation.alignment.visits import Account, Visit, tell
from shared.recitation.alignment.viterbi import Path, Walk
from shared.recitation.grading.grader import WRONG, Ear, Judgement
from shared.recitation.grading.policy import FeedbackPolicy
from shared.recitation.grading.smoothing import UNTOUCHED, Evidence, WordState, next_state
from shared.recitation.grading.stray_sounds import strays, unfinished
from shared.recitation.grading.verdicts import Booking, better, book
from shared.recitation.live.feedback import Repeat

U = TypeVar("U")


class TrackerState(msgspec.Struct, Generic[U], array_like=True):
    """All that a tracker remembers; times in session ms, `start` in track units."""

    units: list[U] = []
    fresh: int = 0
    """Index of the first unit that the newest window may still revise."""
    end_ms: int = 0
    start: int = 0
    settled: dict[int, Judgement] = {}
    words: dict[int, WordState] = {}
    extras: list[str] = []
    repeats: list[Repeat] = []
    reach: int = -1
    """The furthest word recited, by settled visits."""
    floor: int = 0
    """Every word before this one is final."""
    furthest: int = -1
    """No word behind this one has ever been touched."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What one pass over the open units says."""

    changed: tuple[int, ...]
    extras: tuple[str, ...]
    repeats: tuple[Repeat, ...]
    pointer: int
    completed: bool


class Tracker(Generic[U]):
    """One session's walk with one kind of engine."""

    def __init__(
        self, ear: Ear[U], policy: FeedbackPolicy, words: int, state: TrackerState[U] | None = None
    ) -> None:
        self._ear = ear
        self._policy = policy
        self._words = words
        self.state: TrackerState[U] = TrackerState() if state is None else state
        self._walk = self._new_walk(policy.words_behind, policy.words_ahead, pace=0.0)
        self._wider: Walk[U] | None = None
        """The walk that looks further away, from the same start; only while the reciter is lost."""

    def hear(self, hearing: Hearing) -> Reading:
        """Take the next window."""
        state = self.state
        new = self._ear.units(hearing)
        keep, follows = self._ear.join(state.units[state.fresh :], new, (hearing.start_ms, state.end_ms))
        state.fresh += keep
        state.units[state.fresh :] = follows
        state.end_ms = max(state.end_ms, hearing.end_ms)
        return self._read(done=False)

    def finish(self) -> Reading:
        """Nothing more will come: decide what was still open."""
        return self._read(done=True)

    def expected(self, index: int) -> str:
        """The reference word `index` in the engine's terms (sounds or spelling)."""
        return self._ear.expected(index)

    def _new_walk(self, behind: int, ahead: int, pace: float) -> Walk[U]:
        track = self._ear.track
        start = min(self.state.start, int(track.starts[-1]))
        word = int(track.word_of[min(start, len(track.word_of) - 1)])
        first, last = max(0, word - behind), min(track.words, word + ahead)
        return Walk(track, self._ear.costs, start, first, last, pace)

    def _read(self, done: bool) -> Reading:
        composed = self._ear.composed(self.state.units)
        units = [unit for unit, _ in composed]
        path = self._path(units)
        account = tell(self._ear.track, path)
        booking = self._book(account, units, done)
        judged = self._judged(booking)
        reach = max([self.state.reach, *(i for i, j in judged.items() if done or j.grade != WRONG)])
        changed = self._smooth(judged, reach, done)
        reading = self._reading(account, booking, units, path, changed, reach)
        if not done:
            self._settle(account, booking, path, units, [size for _, size in composed])
        return reading

    def _path(self, units: list[U]) -> Path:
        path = self._walk.path(units)
        recent = min(len(units), self._ear.settle_units)
        if self._walk.recent_cost(recent) <= self._policy.lost_cost * 100 * max(recent, 8):
            self._wider = None
            return path
        if self._wider is None:
            far = self._policy.lost_words
            self._wider = self._new_walk(far, far, self._walk.pace)
        wider = self._wider.path(units)
        return wider if wider.cost + self._policy.lost_gain <= path.cost else path

    # -- judging -----------------------------------------------------------------------------
    def _book(self, account: Account, units: list[U], done: bool) -> Booking:
        visits = account.visits
        if visits and not account.complete and (not done or self._cut_short(visits[-1])):
            visits = visits[:-1]
        if not done and unfinished(self._ear, account, visits, units):
            visits = visits[:-1]
        enough = self._ear.replaced_share
        booking = book(self._ear, account, visits, units, 0.0, enough)
        noise = self._noise(booking)
        return booking if noise == 0 else book(self._ear, account, visits, units, noise, enough)

    def _noise(self, booking: Booking) -> float | None:
        """The median error of the words recited lately: how badly this voice is heard, 0-1.

        `None` while the voice is not known.
        """
        grading = self._policy.sounds
        errors = {index: verdict.error for index, verdict in booking.best().items()}
        latest = max([self.state.reach, *errors])
        recent = range(max(0, latest + 1 - grading.noise_words), latest + 1)
        known = [
            errors[index] if index in errors else self.state.settled[index].error
            for index in recent
            if index in errors or index in self.state.settled
        ]
        return median(known) / 100 if len(known) >= grading.noise_least_words else None

    def _judged(self, booking: Booking) -> dict[int, Judgement]:
        """The best verdict on every word of the open stretch, settled visits included."""
        judged = booking.best()
        for index in judged:
            if index in self.state.settled:
                better(judged, index, self.state.settled[index])
        return judged

    def _cut_short(self, visit: Visit) -> bool:
        """Whether the reciter stopped before the last third of the word."""
        start, stop = (int(at) for at in self._ear.track.starts[visit.word : visit.word + 2])
        return (visit.matched[-1][0] + 1 - start) * 3 < (stop - start) * 2

    def _smooth(self, judged: dict[int, Judgement], reach: int, done: bool) -> tuple[int, ...]:
        state = self.state
        state.furthest = max(state.furthest, reach, *judged, -1)
        open_words = {i for i in range(state.floor, state.furthest + 1) if not self._is_final(i)}
        changed = []
        for index in sorted(open_words | judged.keys()):
            judgement = judged.get(index) or state.settled.get(index)
            past = done or reach - index >= self._policy.settle_words
            before = state.words.get(index, UNTOUCHED)
            after = next_state(
                before, Evidence(judgement, past, index < reach), self._policy.agreeing_windows
            )
            if after != before:
                state.words[index] = after
                changed.append(index)
        while self._is_final(state.floor):
            state.floor += 1
        return tuple(changed)

    def _is_final(self, index: int) -> bool:
        return self.state.words.get(index, UNTOUCHED).final

    # -- telling -----------------------------------------------------------------------------
    def _reading(
        self,
        account: Account,
        booking: Booking,
        units: list[U],
        path: Path,
        changed: tuple[int, ...],
        reach: int,
    ) -> Reading:
        # The newest run may yet turn out to be the beginning of a word.
        extras = self._extras(account, booking, units, len(units) - 1)
        repeats = self._repeats(account, len(units))
        kept = self._policy.remarks
        return Reading(
            changed=changed,
            extras=tuple([*self.state.extras, *extras][-kept:]),
            repeats=tuple([*self.state.repeats, *repeats][-kept:]),
            pointer=self._pointer(path.end),
            completed=reach >= self._words - 1,
        )

    def _pointer(self, end: int) -> int:
        """The passage word at or after a track position."""
        track = self._ear.track
        word = int(track.word_of[end]) if end < len(track.word_of) else track.words
        for index in track.word_index[word:]:
            if index is not None:
                return index
        return self._words

    def _extras(self, account: Account, booking: Booking, units: list[U], before: int) -> list[str]:
        """Runs outside every word that end before unit `before`."""
        words = booking.explained
        runs = [
            units[first : last + 1]
            for first, last in account.extras
            if last < before and not any(start <= first and last <= end for start, end in words)
        ]
        return [text for run in runs if (text := self._ear.extra(run)) is not None]

    def _repeats(self, account: Account, before: int) -> list[Repeat]:
        """Jumps back to words of the passage at units before `before`."""
        indices = self._ear.track.word_index
        ends = [(indices[jump.left], indices[jump.resumed]) for jump in account.jumps if jump.unit < before]
        return [Repeat(left, resumed) for left, resumed in ends if left is not None and resumed is not None]

    # -- settling ----------------------------------------------------------------------------
    def _settle(
        self, account: Account, booking: Booking, path: Path, units: list[U], sizes: list[int]
    ) -> None:
        """Book what is old enough and start the walk afresh behind it."""
        border, start = self._border(account, path, units, self._settled_by(sizes))
        if border is None:
            return
        state, kept = self.state, self._policy.remarks
        for index, judgement in booking.best(border).items():
            better(state.settled, index, judgement)
            if judgement.grade != WRONG:
                state.reach = max(state.reach, index)
        state.extras = [*state.extras, *self._extras(account, booking, units, border)][-kept:]
        state.repeats = [*state.repeats, *self._repeats(account, border + 1)][-kept:]
        heard = sum(sizes[:border])
        del state.units[:heard]
        state.fresh = max(0, state.fresh - heard)
        state.start = start
        behind, ahead = self._policy.words_behind, self._policy.words_ahead
        self._walk, self._wider = self._new_walk(behind, ahead, self._walk.pace), None

    def _settled_by(self, sizes: list[int]) -> int:
        """How many leading (composed) units no later window can revise."""
        heard = 0
        for count, size in enumerate(sizes):
            heard += size
            if heard > self.state.fresh:
                return count
        return len(sizes)

    def _border(self, account: Account, path: Path, units: list[U], revisable: int) -> tuple[int | None, int]:
        """The unit from which the walk may start afresh, and its track position."""
        latest = min(revisable, len(units) - self._ear.settle_units)
        starts = self._ear.track.starts
        # A word is judged by the strays before it, too.
        torn = {last + 1 for _, last in strays(self._ear, account, units)}
        due = [visit for visit in account.visits if self._ear.settle_batch <= visit.first_unit <= latest]
        if due:
            visit = max(due, key=lambda visit: (visit.first_unit not in torn, visit.first_unit))
            return visit.first_unit, int(starts[visit.word])
        if len(units) <= self._policy.open_units:
            return None, 0
        border = len(units) - self._ear.settle_units
        return border, path.steps[border].position
