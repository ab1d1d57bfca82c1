"""How many sessions a worker offers: a simulated worker of known speed, and what disturbs it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_worker.batching.executor import Decoded
from asr_worker.capacity.calibration import LONGEST_MS, measure_cost
from asr_worker.capacity.estimator import BatchCost, CapacityModel, CapacityPolicy, cost_of
from asr_worker.engines.engine import EngineItem
from shared.clock import ManualClock

POLICY = CapacityPolicy(target_ms=500, max_batch=16, window_s=2.5, overlap_s=0.5)
COST = BatchCost(2.0, 1.0)
"""4.5 ms for one window of 2.5 s, 42 ms for sixteen: 381 segments a second."""
BEAT_S = 2.0


class Simulation:
    """A worker that decodes for `sessions` sessions at a known cost; every beat it reports.

    Time runs in steps of 50 ms: what arrived meanwhile is decoded in batches as far as the time goes.
    """

    def __init__(self, cost: BatchCost = COST, policy: CapacityPolicy = POLICY, seed: int = 1) -> None:
        self.model = CapacityModel(policy, COST, now_s=0.0)
        self.cost = cost
        self.policy = policy
        self.window_s = policy.window_s
        self.outside_ms = 3.0
        """Added to every segment although the engine has time: a neighbour, a slow Redis."""
        self.sessions = 0.0
        self.now_s = 0.0
        self.told: list[int] = []
        self.p95_ms = 0.0
        self._queue: list[float] = []
        self._owed = 0.0
        self._free_s = 0.0
        self._rng = np.random.default_rng(seed)

    @property
    def full_speed(self) -> float:
        """Sessions at which this worker would never rest."""
        size = self.policy.max_batch
        return size / self.cost.of(size * self.window_s) * 1000 * (self.window_s - self.policy.overlap_s)

    def run(self, seconds: float, *, follow: bool = False) -> None:
        """`follow`: as many sessions as are offered come and stay, none is sent away."""
        until_s = self.now_s + seconds
        next_beat_s = self.now_s + BEAT_S
        while self.now_s < until_s:
            self._step(0.05)
            if self.now_s >= next_beat_s:
                next_beat_s += BEAT_S
                found = self.model.assess(self.now_s, int(self.sessions))
                self.told.append(found.sessions)
                self.p95_ms = found.p95_ms
                if follow:
                    self.sessions = max(self.sessions, found.sessions)

    def _step(self, step_s: float) -> None:
        hop_s = self.window_s - self.policy.overlap_s
        arrivals = self._rng.poisson(self.sessions / hop_s * step_s)
        self._queue += sorted(self.now_s + step_s * self._rng.random(arrivals))
        self.now_s += step_s
        while self._queue and self._free_s < self.now_s:
            start_s = max(self._free_s, self._queue[0])
            if start_s >= self.now_s:
                break
            ready = [at_s for at_s in self._queue if at_s <= start_s][: self.policy.max_batch]
            del self._queue[: len(ready)]
            audio_s = len(ready) * self.window_s
            batch_ms = self.cost.of(audio_s)
            self._free_s = start_s + batch_ms / 1000
            self.model.decoded(len(ready), audio_s, batch_ms)
            for at_s in ready:
                self.model.answered(self._free_s, self.outside_ms, 1000 * (self._free_s - at_s))


def test_the_first_guess_is_a_careful_share_of_what_the_engine_can_do() -> None:
    found = CapacityModel(POLICY, COST, 0.0).assess(0.0)
    assert 0.2 * Simulation().full_speed < found.sessions < 0.3 * Simulation().full_speed
    assert found.service_rate == pytest.approx(16_000 / 42)
    assert (found.p95_ms, found.busy) == (0.0, 0.0)


def test_it_grows_to_what_the_worker_carries_and_stays_within_the_target() -> None:
    worker = Simulation()
    worker.run(240, follow=True)
    assert 0.6 * worker.full_speed < worker.told[-1] <= 0.9 * worker.full_speed
    assert worker.p95_ms <= POLICY.target_ms
    assert worker.told == sorted(worker.told)


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0])
def test_a_wrong_first_guess_is_corrected_by_the_batches_that_follow(factor: float) -> None:
    worker = Simulation(BatchCost(COST.batch_ms * factor, COST.audio_s_ms * factor))
    worker.run(300, follow=True)
    assert 0.55 * worker.full_speed < worker.told[-1] < worker.full_speed
    assert worker.p95_ms <= POLICY.target_ms


def test_steady_load_does_not_make_it_flap() -> None:
    worker = Simulation()
    worker.sessions = 150
    worker.run(20)
    worker.told.clear()
    worker.run(120)
    changes = [after for before, after in pairwise(worker.told) if before != after]
    assert len(changes) <= 2
    assert min(worker.told) >= 150


def test_without_load_nothing_changes() -> None:
    worker = Simulation()
    worker.run(60)
    assert len(set(worker.told)) == 1


def test_a_slow_neighbour_takes_capacity_although_the_engine_has_time() -> None:
    worker = Simulation()
    worker.sessions = 100
    worker.run(30)
    before = worker.told[-1]
    worker.outside_ms = 900
    worker.run(60)
    assert worker.told[-1] < 100 < before


def test_one_hiccup_costs_little_and_is_made_up_for() -> None:
    worker = Simulation()
    worker.sessions = 100
    worker.run(30)
    before = worker.told[-1]
    worker.outside_ms = 700
    worker.run(1.5)
    worker.outside_ms = 3
    worker.run(12)
    assert min(worker.told) >= 0.6 * before
    worker.run(60)
    assert worker.told[-1] == pytest.approx(before, rel=0.06)


def test_capacity_comes_back_when_the_neighbour_has_gone() -> None:
    worker = Simulation()
    worker.sessions = 60
    worker.run(20)
    before = worker.told[-1]
    worker.outside_ms = 900
    worker.run(60)
    worker.outside_ms = 3
    worker.run(20)
    soon = worker.told[-1]
    worker.run(150)
    assert soon < 0.6 * before
    assert worker.told[-1] == pytest.approx(before, rel=0.1)


def test_too_many_sessions_bring_the_offer_below_them() -> None:
    worker = Simulation()
    worker.sessions = 1.3 * worker.full_speed
    worker.run(40)
    assert worker.told[-1] < worker.sessions


def test_longer_windows_make_room() -> None:
    short, long = Simulation(), Simulation()
    long.window_s = 5.0
    for worker in (short, long):
        worker.sessions = 50
        worker.run(60)
    assert long.told[-1] > short.told[-1]


def test_clocks_that_disagree_are_not_taken_for_a_queue() -> None:
    worker = Simulation()
    worker.sessions, worker.outside_ms = 100, 5000.0
    worker.run(60)
    assert worker.told[-1] >= 100
    assert worker.p95_ms < POLICY.target_ms


def test_bounds_hold_whatever_is_measured() -> None:
    fast = CapacityModel(CapacityPolicy(max_sessions=7), BatchCost(0.0, 0.0001), 0.0)
    assert fast.assess(1.0).sessions == 7
    slow = CapacityModel(CapacityPolicy(min_sessions=3), BatchCost(9000.0, 5000.0), 0.0)
    assert slow.assess(1.0).sessions == 3


@settings(max_examples=50)
@given(
    beats=st.lists(
        st.tuples(st.integers(0, 400), st.floats(0, 5000), st.floats(0, 5000), st.integers(0, 2000)),
        max_size=40,
    )
)
def test_any_load_leaves_a_sane_offer(beats: list[tuple[int, float, float, int]]) -> None:
    model = CapacityModel(POLICY, COST, 0.0)
    for number, (segments, queued_ms, batch_ms, leased) in enumerate(beats):
        for _ in range(min(segments, 50)):
            model.answered(2.0 * number, queued_ms, batch_ms)
        if segments:
            model.decoded(segments, segments * 2.5, batch_ms)
        found = model.assess(2.0 * number, leased)
        assert POLICY.min_sessions <= found.sessions <= POLICY.max_sessions
        assert found.service_rate > 0
        assert 0 <= found.busy <= 1


# -- the first measurement ---------------------------------------------------------------------------
class _Lane:
    """Takes a known time per batch, on a clock that is turned by it."""

    def __init__(self, clock: ManualClock, cost: BatchCost) -> None:
        self.clock = clock
        self.cost = cost
        self.sizes: list[int] = []

    async def decode(self, items: Sequence[EngineItem], *, live: bool) -> Decoded:
        assert live
        self.sizes.append(len(items))
        self.clock.advance(self.cost.of(sum(item.samples for item in items) / 16_000) / 1000)
        return Decoded([], 0)


async def test_two_batches_tell_the_cost() -> None:
    clock = ManualClock()
    executor = _Lane(clock, COST)
    found = await measure_cost(executor, POLICY, clock)
    assert found.batch_ms == pytest.approx(COST.batch_ms, rel=0.01)
    assert found.audio_s_ms == pytest.approx(COST.audio_s_ms, rel=0.01)
    assert set(executor.sizes) == {1, 16}


async def test_a_slow_model_is_measured_with_what_it_can_do_in_a_second() -> None:
    clock = ManualClock()
    executor = _Lane(clock, BatchCost(100.0, 100.0))
    await measure_cost(executor, POLICY, clock)
    assert max(executor.sizes) == 2
    slower = _Lane(clock, BatchCost(2 * LONGEST_MS, 100.0))
    found = await measure_cost(slower, POLICY, clock)
    assert slower.sizes == [1]
    assert found.of(2.5) == pytest.approx(2 * LONGEST_MS + 250)


def test_the_cost_never_becomes_nonsense() -> None:
    shrinking = cost_of((2.5, 10.0), (40.0, 8.0))
    assert shrinking.of(2.5) == pytest.approx(10.0)
    assert shrinking.audio_s_ms == 0.01
    assert cost_of((2.5, 1.0), (40.0, 100.0)).batch_ms == 0.0
