"""Who asked for a pool without a worker is remembered long enough for an autoscaler to see it."""

from __future__ import annotations

from session_router.scaling.unserved import UnservedPools
from shared.clock import ManualClock
from shared.ids import PoolName

FAST, LARGE = PoolName("fast"), PoolName("large")


def test_a_pool_is_remembered_from_the_last_who_asked() -> None:
    clock = ManualClock()
    unserved = UnservedPools(clock, 60)
    assert FAST not in unserved
    unserved.note(FAST)
    clock.advance(50)
    unserved.note(FAST)
    clock.advance(59)
    assert FAST in unserved
    assert LARGE not in unserved
    clock.advance(1)
    assert FAST not in unserved


def test_a_pool_noted_later_does_not_keep_the_others() -> None:
    clock = ManualClock()
    unserved = UnservedPools(clock, 60)
    unserved.note(LARGE)
    clock.advance(60)
    unserved.note(FAST)
    assert FAST in unserved
    assert LARGE not in unserved


def test_nothing_is_remembered_for_no_time() -> None:
    unserved = UnservedPools(ManualClock(), 0)
    unserved.note(FAST)
    assert FAST not in unserved
