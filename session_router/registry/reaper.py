"""Keeps the registry true: new workers in, dead ones out, their sessions moved, expired leases freed."""

from __future__ import annotations

import asyncio

from session_router.admission.waiting_room import WaitingRoom
from session_router.metrics import RouterMetrics
from session_router.registry.registry import RefreshOutcome, Registry
from shared.clock import Clock
from shared.errors import BusUnavailable
from shared.service.logging import get_logger

MIN_INTERVAL_S = 0.1
"""An overloaded router asks for a refresh with every refusal; this many seconds apart is enough."""

_log = get_logger(__name__)


class Reaper:
    """Refreshes the registry on a beat, and on demand when a pool looks full."""

    def __init__(
        self,
        registry: Registry,
        room: WaitingRoom,
        metrics: RouterMetrics,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self._registry = registry
        self._room = room
        self._metrics = metrics
        self._clock = clock
        self._interval_s = interval_s
        self._one_at_a_time = asyncio.Lock()
        self._last_s = float("-inf")
        self.healthy = False
        """Whether the last refresh reached Redis."""

    async def run(self) -> None:
        """Refresh for ever; an outage of Redis is reported and outlived."""
        while True:
            await self.tick()
            _heed_cancellation()
            await asyncio.sleep(self._interval_s)

    async def tick(self) -> None:
        """One beat."""
        try:
            outcome = await self._registry.refresh(force=False)
        except BusUnavailable as error:
            self._metrics.refresh_failures.inc()
            if self.healthy:
                _log.warning("registry_unreachable", error=error.message)
            self.healthy = False
            return
        if not self.healthy:
            _log.info("registry_reachable")
        self.healthy = True
        self._account(outcome)

    async def refresh_now(self, asked_s: float) -> bool:
        """Look for slots at once; those who ask together share one look. Raises `BusUnavailable`.

        False: the last look was before the caller asked the registry (at `asked_s`), and less than
        `MIN_INTERVAL_S` ago; asking again would only cost.
        """
        async with self._one_at_a_time:
            if self._clock.monotonic() - self._last_s >= MIN_INTERVAL_S:
                self._account(await self._registry.refresh(force=True))
                self._last_s = self._clock.monotonic()
            return self._last_s >= asked_s

    def _account(self, outcome: RefreshOutcome) -> None:
        self._metrics.count_refresh(outcome)
        for worker_id in outcome.dead_workers:
            _log.warning("worker_died", worker_id=worker_id)
        for worker_id in outcome.left_workers:
            _log.info("worker_left", worker_id=worker_id)
        if outcome.moved or outcome.orphaned or outcome.adopted or outcome.expired:
            _log.info(
                "leases_reaped",
                moved=outcome.moved,
                orphaned=outcome.orphaned,
                adopted=outcome.adopted,
                expired=outcome.expired,
            )
        self._room.announce()


def _heed_cancellation() -> None:
    """Up to Python 3.11 `asyncio.wait_for`, through which redis-py sends, may swallow a cancellation
    (python/cpython#86296); a task that loops would then never end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
