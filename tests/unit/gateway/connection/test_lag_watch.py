"""A client is warned once each time its session lags; who asked for it is sent away if that lasts."""

from __future__ import annotations

import pytest

from gateway.connection.end_reason import EndConnection, EndReason
from gateway.connection.lag_watch import LagLimits, LagWatch

WAITS = LagLimits(warn_s=3.0, longest_s=None, for_s=2.0)
REJECTS = LagLimits(warn_s=3.0, longest_s=5.0, for_s=2.0)


def test_one_warning_each_time_a_lag_begins() -> None:
    watch = LagWatch(WAITS)
    lags = [0.0, 2.9, 3.0, 9.0, 2.0, 3.5, 1.4, 3.1, 100.0]
    warned = [watch.check(lag_s, now_s) is not None for now_s, lag_s in enumerate(lags)]
    # Between half the limit and the limit it is still the same lag.
    assert warned == [False, False, True, False, False, False, False, True, False]


def test_a_lag_that_lasts_ends_the_connection() -> None:
    watch = LagWatch(REJECTS)
    notice = watch.check(5.1, 10.0)
    assert notice is not None
    assert notice.code == "lagging"
    assert "5.1 s behind" in notice.message
    watch.check(6.0, 12.0)
    with pytest.raises(EndConnection) as ended:
        watch.check(7.0, 12.1)
    assert ended.value.end.reason is EndReason.LAGGING
    assert ended.value.end.reason.may_come_back
    assert ended.value.trouble is not None
    assert ended.value.trouble.code == "lagging"


def test_a_lag_that_passes_does_not() -> None:
    watch = LagWatch(REJECTS)
    for now_s, lag_s in [(0.0, 5.5), (2.0, 5.0), (2.5, 5.5), (4.5, 5.5)]:
        watch.check(lag_s, now_s)
