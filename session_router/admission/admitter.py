"""Walks one session up the overflow ladder until it has a lease or a refusal."""

from __future__ import annotations

from dataclasses import replace

from session_router.admission.overflow import AdmissionRules, Attempt, Refuse, TryPool, Wait, next_step
from session_router.admission.waiting_room import WaitingRoom
from session_router.metrics import RouterMetrics
from session_router.registry.reaper import Reaper
from session_router.registry.registry import Registry
from shared.clock import Clock
from shared.errors import RattilError
from shared.ids import PoolName, SessionId
from shared.protocol.workers import AdmitRequest, Lease
from shared.service.logging import get_logger

_log = get_logger(__name__)


class Admitter:
    """Admission of one router: the pure ladder, with the registry and the waiting room under it."""

    def __init__(
        self,
        registry: Registry,
        reaper: Reaper,
        room: WaitingRoom,
        rules: AdmissionRules,
        lease_ttl_s: float,
        clock: Clock,
        metrics: RouterMetrics,
    ) -> None:
        self._registry = registry
        self._reaper = reaper
        self._room = room
        self._rules = rules
        self._lease_ttl_s = lease_ttl_s
        self._clock = clock
        self._metrics = metrics

    async def admit(self, request: AdmitRequest) -> Lease:
        """A lease, the one the session holds already if it does.

        Raises `NoCapacity` (`WaitingRoomFull`), `LeaseConflict`, `BusUnavailable`, or `Unavailable`
        while draining.
        """
        began_s = self._clock.monotonic()
        outcome = "internal"
        try:
            lease = await self._climb(request)
            outcome = "degraded" if lease.degraded else "leased"
        except RattilError as error:
            outcome = error.code
            raise
        finally:
            self._metrics.admissions.labels(outcome).inc()
            self._metrics.admission_seconds.observe(self._clock.monotonic() - began_s)
            # The whole id would be a key to the session: whoever knows it may resume it.
            _log.info("admission", session=request.session_id[:6], pool=request.pool, outcome=outcome)
        return lease

    async def release(self, session_id: SessionId, holder: str | None = None) -> bool:
        """Give the slot back; False if there was none (or another holds it by now)."""
        released = await self._registry.release(session_id, holder)
        if released:
            self._metrics.releases.inc()
            self._room.announce()
        return released

    async def _climb(self, request: AdmitRequest) -> Lease:
        attempt = Attempt(request.pool)
        while True:
            step = next_step(self._rules, replace(attempt, waiting=len(self._room)))
            match step:
                case TryPool(pool):
                    lease = await self._try(request, pool)
                    attempt = replace(attempt, full=(*attempt.full, pool))
                case Wait(pool, for_s):
                    lease = await self._wait(request, pool, for_s)
                    attempt = replace(attempt, waited_s=attempt.waited_s + for_s)
                case Refuse(error):
                    try:
                        raise error
                    finally:
                        del error, step  # this frame is in its traceback: they would wait for the collector
            if lease is not None:
                return lease

    async def _try(self, request: AdmitRequest, pool: PoolName) -> Lease | None:
        asked_s = self._clock.monotonic()
        lease = await self._lease(request, pool)
        # A worker may have come since the last beat; others may be looking already.
        if lease is None and await self._reaper.refresh_now(asked_s):
            lease = await self._lease(request, pool)
        return lease

    async def _wait(self, request: AdmitRequest, pool: PoolName, for_s: float) -> Lease | None:
        self._metrics.waiting.inc()
        try:
            return await self._room.wait(pool, for_s, lambda: self._lease(request, pool))
        finally:
            self._metrics.waiting.dec()

    async def _lease(self, request: AdmitRequest, pool: PoolName) -> Lease | None:
        return await self._registry.lease(
            request.session_id, pool, request.pool, self._lease_ttl_s, request.holder
        )
