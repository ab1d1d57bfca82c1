from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from session_router.admission.waiting_room import WaitingRoom
from session_router.metrics import RouterMetrics
from session_router.registry.reaper import Reaper
from session_router.registry.registry import RefreshOutcome
from shared.clock import ManualClock
from shared.errors import BusUnavailable
from tests.memory.registry import MemoryRegistry


class ScriptedRegistry(MemoryRegistry):
    """Refreshes as told: away, or swallowing a cancellation as redis-py may on Python 3.11."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.away = False
        self.swallows = False
        self.refreshing = asyncio.Event()

    async def refresh(self, *, force: bool) -> RefreshOutcome:
        self.refreshing.set()
        if self.away:
            raise BusUnavailable("Redis is away")
        if self.swallows:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return RefreshOutcome()
        return await super().refresh(force=force)


def _reaper(registry: ScriptedRegistry) -> tuple[Reaper, RouterMetrics]:
    metrics = RouterMetrics(CollectorRegistry())
    return Reaper(registry, WaitingRoom(), metrics, ManualClock(), interval_s=3600), metrics


async def test_a_swallowed_cancellation_still_ends_the_beat() -> None:
    registry = ScriptedRegistry()
    registry.swallows = True
    reaper, _ = _reaper(registry)
    beat = asyncio.create_task(reaper.run())
    await registry.refreshing.wait()
    beat.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beat


async def test_an_outage_is_counted_and_outlived() -> None:
    registry = ScriptedRegistry()
    reaper, metrics = _reaper(registry)
    for away, healthy in ((False, True), (True, False), (True, False), (False, True)):
        registry.away = away
        await reaper.tick()
        assert reaper.healthy is healthy
    assert metrics.registry.get_sample_value("rattil_router_refresh_failures_total") == 2


async def test_an_outage_on_demand_is_the_callers_to_know() -> None:
    registry = ScriptedRegistry()
    registry.away = True
    reaper, _ = _reaper(registry)
    with pytest.raises(BusUnavailable):
        await reaper.refresh_now(0.0)
