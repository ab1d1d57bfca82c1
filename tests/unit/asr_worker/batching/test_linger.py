"""How long a segment waits for others to join its batch follows the load, within its bound."""

from __future__ import annotations

import pytest

from asr_worker.batching.batcher import Batcher, BatchPolicy
from asr_worker.batching.linger import Linger

BATCH_S = 0.04


def _after(batches: int, pause_s: float, most_s: float = 0.02, batch_s: float = BATCH_S) -> float:
    """The wait after so many equal batches with equal pauses."""
    linger, now_s = Linger(most_s), 100.0
    for _ in range(batches):
        linger.batch_done(now_s, now_s + batch_s)
        now_s += batch_s + pause_s
    return linger.wait_s


def test_nobody_waits_before_the_first_batch() -> None:
    assert Linger(0.02).wait_s == 0.0


def test_on_a_busy_engine_it_is_a_quarter_of_a_batch() -> None:
    assert _after(100, pause_s=0.0) == pytest.approx(BATCH_S / 4, rel=0.01)


def test_it_falls_with_the_load() -> None:
    waits = [_after(100, pause_s) for pause_s in (0.0, 0.01, 0.04, 0.4, 4.0)]
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] < 0.001


def test_it_never_passes_its_bound() -> None:
    assert _after(100, pause_s=0.0, most_s=0.003) == 0.003
    assert _after(100, pause_s=0.0, most_s=0.0) == 0.0


def test_a_long_idle_hour_is_forgotten_within_some_batches() -> None:
    linger, now_s = Linger(0.02), 0.0
    for pause_s in [0.0] * 50 + [3600.0] + [0.0] * 50:
        now_s += pause_s
        linger.batch_done(now_s, now_s + BATCH_S)
        now_s += BATCH_S
    assert linger.wait_s == pytest.approx(BATCH_S / 4, rel=0.05)


def test_the_batcher_keeps_its_own_bound() -> None:
    batcher: Batcher[str] = Batcher(BatchPolicy(max_batch=4, max_waiting=8, max_wait_s=0.005))
    batcher.linger_s = 1.0
    assert batcher.linger_s == 0.005
    batcher.linger_s = 0.001
    assert batcher.linger_s == 0.001
