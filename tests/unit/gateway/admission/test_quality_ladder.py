"""What new sessions get follows latency and load: the length of their windows, then the further steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.quality import LatencyHistory
from gateway.admission.quality_ladder import FULL, QualityLadder, QualityPolicy, QualityStep

POLICY = QualityPolicy(start_s=2.5, min_s=1, max_s=5, high_ms=800, low_ms=300, samples=4)


@pytest.mark.parametrize(
    ("latencies", "window_s"),
    [
        ([900] * 3, 2.5),
        ([900] * 4, 3.0),
        ([900] * 7, 3.0),
        ([900] * 8, 3.5),
        ([900] * 400, 5.0),
        ([100] * 4, 2.0),
        ([100] * 400, 1.0),
        ([800] * 40, 2.5),
        ([300] * 40, 2.5),
        ([100, 100, 100, 3000], 3.0),
        ([900] * 4 + [100] * 4, 2.5),
    ],
)
def test_the_window_follows_the_rolling_average(latencies: list[float], window_s: float) -> None:
    ladder = QualityLadder(POLICY)
    for latency in latencies:
        ladder.observe(latency)
    assert ladder.window_s == window_s


@pytest.mark.parametrize(
    ("load", "window_s"),
    [(0.0, 1.0), (0.59, 1.0), (0.6, 2.5), (0.9, 2.5), (0.95, 3.5), (1.0, 5.0), (7.5, 5.0)],
)
def test_a_pool_that_fills_up_gets_longer_windows(load: float, window_s: float) -> None:
    ladder = QualityLadder(POLICY)
    for _ in range(400):
        ladder.observe(100)
    ladder.note_load(load)
    assert ladder.window_s == window_s
    ladder.note_load(0.1)
    assert ladder.window_s == 1.0


def test_a_service_with_room_begins_with_short_windows() -> None:
    ladder = QualityLadder(POLICY)
    assert ladder.window_s == 2.5
    ladder.note_load(0.1)
    assert ladder.window_s == 1.0
    for _ in range(4):
        ladder.observe(900)
    assert ladder.window_s == 1.5


def test_a_service_without_room_begins_with_the_configured_window() -> None:
    ladder = QualityLadder(POLICY)
    ladder.note_load(0.7)
    ladder.note_load(0.1)
    assert ladder.window_s == 2.5


def test_a_slow_service_keeps_its_long_windows_however_empty_the_pool_is() -> None:
    ladder = QualityLadder(POLICY)
    for _ in range(8):
        ladder.observe(900)
    ladder.note_load(0.7)
    assert ladder.window_s == 3.5


def test_without_adaptation_the_window_stays() -> None:
    ladder = QualityLadder(QualityPolicy(2.5, 1, 5, 800, 300, 1, enabled=False))
    ladder.observe(10_000)
    ladder.note_load(1.0)
    assert (ladder.window_s, ladder.step) == (2.5, QualityStep.FULL)


def test_average_and_95th_percentile() -> None:
    latencies = LatencyHistory()
    assert (latencies.average_ms(), latencies.p95_ms(), latencies.count) == (0, 0, 0)
    for latency in range(1, 101):
        latencies.observe(latency)
    assert (latencies.average_ms(), latencies.p95_ms(), latencies.count) == (50.5, 95, 100)


# -- the steps beyond windows ------------------------------------------------------------------------
STEPS = replace(POLICY, last=QualityStep.FAST_MODEL)


def slow(ladder: QualityLadder, times: int = 1, latency_ms: float = 900) -> None:
    """So many averages in a row at this latency."""
    for _ in range(times * POLICY.samples):
        ladder.observe(latency_ms)


@pytest.mark.parametrize(
    ("loads", "step"),
    [
        ([0.0], QualityStep.FULL),
        ([FULL], QualityStep.FULL),
        ([0.94], QualityStep.LONG_WINDOWS),
        ([0.95], QualityStep.NO_INTERIM),
        ([1.0], QualityStep.FAST_MODEL),
        ([7.0], QualityStep.FAST_MODEL),
        ([1.0, 0.9], QualityStep.FAST_MODEL),
        ([1.0, 0.89], QualityStep.NO_INTERIM),
        ([1.0, 0.89, 0.99], QualityStep.NO_INTERIM),
        ([0.95, 0.85], QualityStep.NO_INTERIM),
        ([0.95, 0.84], QualityStep.FULL),
        ([0.84, 0.9], QualityStep.FULL),
        ([1.0, 0.0], QualityStep.FULL),
    ],
)
def test_a_step_begins_at_a_higher_load_than_it_ends_at(loads: list[float], step: QualityStep) -> None:
    ladder = QualityLadder(STEPS)
    for load in loads:
        ladder.note_load(load)
    assert ladder.step is step


def test_a_slow_service_gets_longer_windows_first_and_climbs_back_the_same_way() -> None:
    ladder = QualityLadder(STEPS)
    down = []
    for _ in range(9):
        down.append((ladder.window_s, ladder.step.name))
        slow(ladder)
    assert down == [
        (2.5, "FULL"),
        (3.0, "LONG_WINDOWS"),
        (3.5, "LONG_WINDOWS"),
        (4.0, "LONG_WINDOWS"),
        (4.5, "LONG_WINDOWS"),
        (5.0, "LONG_WINDOWS"),
        (5.0, "NO_INTERIM"),
        (5.0, "FAST_MODEL"),
        (5.0, "FAST_MODEL"),
    ]
    slow(ladder, latency_ms=500)  # between the two thresholds nothing changes
    up = []
    for _ in range(8):
        up.append((ladder.window_s, ladder.step.name))
        slow(ladder, latency_ms=100)
    assert up == down[7::-1]


def test_without_a_fast_model_the_ladder_ends_before_it() -> None:
    ladder = QualityLadder(POLICY)
    slow(ladder, 100)
    ladder.note_load(1.0)
    steps = [ladder.step]
    slow(ladder, latency_ms=100)
    ladder.note_load(0.0)
    assert [*steps, ladder.step] == [QualityStep.NO_INTERIM, QualityStep.LONG_WINDOWS]


@given(st.lists(st.one_of(st.floats(0, 3), st.integers(2, 3000)), max_size=300))
def test_whatever_comes_calm_brings_everything_back(what: list[float]) -> None:
    ladder = QualityLadder(STEPS)
    for one in what:
        ladder.note_load(one) if isinstance(one, float) else ladder.observe(one)
        assert POLICY.min_s <= ladder.window_s <= POLICY.max_s
    ladder.note_load(0.0)
    slow(ladder, 20, latency_ms=100)
    assert (ladder.window_s, ladder.step) == (POLICY.min_s, QualityStep.FULL)
