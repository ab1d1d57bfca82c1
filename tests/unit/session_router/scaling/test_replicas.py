from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session_router.registry.registry import PoolCapacity
from session_router.scaling.replicas import Backlog, ScalingRules, desired_replicas
from shared.ids import PoolName

POOL = PoolName("default")
RULES = ScalingRules(utilisation=0.7, backlog_age_ms=1000, min_replicas=1, max_replicas=50)


def _pool(workers: int, active: int, per_worker: int = 10, orphans: int = 0) -> PoolCapacity:
    return PoolCapacity(POOL, workers=workers, capacity=workers * per_worker, active=active, orphans=orphans)


@pytest.mark.parametrize(
    ("workers", "active", "waiting", "expected"),
    [
        (2, 0, 0, 1),
        (1, 7, 0, 1),
        (1, 8, 0, 2),
        (4, 28, 0, 4),
        (4, 29, 0, 5),
        (4, 28, 10, 6),
        (0, 0, 0, 1),
        (0, 5, 0, 1),
        (10, 10_000, 0, 50),
    ],
)
def test_by_sessions(workers: int, active: int, waiting: int, expected: int) -> None:
    assert desired_replicas(RULES, _pool(workers, active), Backlog(), waiting) == expected


@pytest.mark.parametrize(
    ("depth", "age_ms", "expected"),
    [(0, 0, 1), (100, 1000, 1), (100, 1500, 6), (100, 60_000, 8), (0, 60_000, 1)],
)
def test_by_lag(depth: int, age_ms: int, expected: int) -> None:
    assert desired_replicas(RULES, _pool(4, 1), Backlog(depth, age_ms)) == expected


def test_scale_to_zero_only_when_allowed_and_idle() -> None:
    rules = ScalingRules(min_replicas=0)
    assert desired_replicas(rules, _pool(2, 0), Backlog()) == 0
    assert desired_replicas(rules, _pool(0, 0), Backlog()) == 0
    assert desired_replicas(rules, _pool(0, 0), Backlog(depth=1, oldest_age_ms=5000)) == 1
    assert desired_replicas(rules, _pool(0, 1), Backlog()) == 1


def test_who_found_no_worker_wakes_a_pool_and_asks_for_no_more() -> None:
    rules = ScalingRules(min_replicas=0)
    assert desired_replicas(rules, _pool(0, 0), Backlog(), unserved=True) == 1
    assert desired_replicas(rules, _pool(1, 0), Backlog(), unserved=True) == 1
    assert desired_replicas(rules, _pool(3, 15), Backlog(), unserved=True) == 3


@given(
    workers=st.integers(0, 40),
    active=st.integers(0, 1000),
    depth=st.integers(0, 1000),
    age_ms=st.integers(0, 100_000),
    more=st.integers(0, 100),
)
def test_more_demand_never_asks_for_fewer(
    workers: int, active: int, depth: int, age_ms: int, more: int
) -> None:
    less = desired_replicas(RULES, _pool(workers, active), Backlog(depth, age_ms))
    assert RULES.min_replicas <= less <= RULES.max_replicas
    assert desired_replicas(RULES, _pool(workers, active + more), Backlog(depth, age_ms)) >= less
    assert desired_replicas(RULES, _pool(workers, active), Backlog(depth, age_ms + more)) >= less
