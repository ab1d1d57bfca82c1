"""How long new connections' windows are follows latency and load."""

from __future__ import annotations

import pytest

from gateway.admission.adaptive_window import AdaptivePolicy, AdaptiveWindow

POLICY = AdaptivePolicy(start_s=2.5, min_s=1, max_s=5, high_ms=800, low_ms=300, samples=4)


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
    adaptive = AdaptiveWindow(POLICY)
    for latency in latencies:
        adaptive.observe(latency)
    assert adaptive.window_s == window_s
    assert adaptive.sample_count == len(latencies)


@pytest.mark.parametrize(
    ("load", "window_s"),
    [(0.0, 1.0), (0.59, 1.0), (0.6, 2.5), (0.9, 2.5), (0.95, 3.5), (1.0, 5.0), (7.5, 5.0)],
)
def test_a_pool_that_fills_up_gets_longer_windows(load: float, window_s: float) -> None:
    adaptive = AdaptiveWindow(POLICY)
    for _ in range(400):
        adaptive.observe(100)
    adaptive.note_load(load)
    assert adaptive.window_s == window_s
    adaptive.note_load(0.1)
    assert adaptive.window_s == 1.0


def test_a_service_with_room_begins_with_short_windows() -> None:
    adaptive = AdaptiveWindow(POLICY)
    assert adaptive.window_s == 2.5
    adaptive.note_load(0.1)
    assert adaptive.window_s == 1.0
    for _ in range(4):
        adaptive.observe(900)
    assert adaptive.window_s == 1.5


def test_a_service_without_room_begins_with_the_configured_window() -> None:
    adaptive = AdaptiveWindow(POLICY)
    adaptive.note_load(0.7)
    adaptive.note_load(0.1)
    assert adaptive.window_s == 2.5


def test_a_slow_service_keeps_its_long_windows_however_empty_the_pool_is() -> None:
    adaptive = AdaptiveWindow(POLICY)
    for _ in range(8):
        adaptive.observe(900)
    adaptive.note_load(0.7)
    assert adaptive.window_s == 3.5


def test_without_adaptation_the_window_stays() -> None:
    adaptive = AdaptiveWindow(AdaptivePolicy(2.5, 1, 5, 800, 300, 1, enabled=False))
    adaptive.observe(10_000)
    adaptive.note_load(1.0)
    assert (adaptive.window_s, adaptive.average_ms(), adaptive.p95_ms()) == (2.5, 10_000, 10_000)


def test_average_and_95th_percentile() -> None:
    adaptive = AdaptiveWindow(POLICY)
    assert (adaptive.average_ms(), adaptive.p95_ms()) == (0, 0)
    for latency in range(1, 101):
        adaptive.observe(latency)
    assert (adaptive.average_ms(), adaptive.p95_ms()) == (50.5, 95)
