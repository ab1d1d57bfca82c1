"""Calls that wait for an absent bus, for a bounded time."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from gateway.connection.bus_retry import BusRetry
from gateway.connection.end_reason import EndConnection, EndReason
from gateway.metrics import GatewayMetrics
from shared.clock import ManualClock
from shared.errors import (
    BusUnavailable,
    Fenced,
    QueueFull,
    RattilError,
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BusUnavailable("away"), EndReason.BUS_AWAY),
        (QueueFull("the stream is full"), EndReason.NO_CAPACITY),
    ],
)
async def test_patience_ends_with_a_reason(error: RattilError, reason: EndReason) -> None:
    clock = ManualClock()
    tries = []

    async def attempt() -> None:
        tries.append(1)
        clock.advance(1)
        raise error

    retry = BusRetry(clock, GatewayMetrics(CollectorRegistry()), grace_s=3)
    with pytest.raises(EndConnection) as ended:
        await retry.call(attempt)
    assert ended.value.end.reason is reason
    assert ended.value.trouble is not None
    assert len(tries) == 3


async def test_patience_is_only_for_absence() -> None:
    async def fenced() -> None:
        raise Fenced("a newer connection owns the session")

    with pytest.raises(Fenced):
        await BusRetry(ManualClock(), GatewayMetrics(CollectorRegistry()), 3).call(fenced)
