"""Takes one session up the overflow ladder until it has a lease or a refusal."""

from __future__ import annotations

from dataclasses import replace

from session_router.admission.overflow import AdmissionRules, Attempt, Refuse, TryPool, Wait, next_step
from session_router.admission.waiting_room import WaitingRoom
from session_router.metrics import RouterMetrics
from session_router.registry.reaper import Reaper
from session_router.registry.registry import LeaseRequest, NoSlot, Registry
from session_router.scaling.unserved import UnservedPools
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
        clock: Clock,
        metrics: RouterMetrics,
        unserved: UnservedPools,
    ) -> None:
        self._registry = registry
        self._reaper = reaper
        self._room = room
        self._rules = rules
        self._clock = clock
        self._metrics = metrics
        self._unserved = unserved

    async def admit(self, request: AdmitRequest) -> Lease:
        """A lease, the one the session holds already if it may be this holder's.

        Raises `NoCapacity` (`NoWorker`, `WaitingRoomFull`), `LeaseHeld`, `LeaseConflict`,
        `BusUnavailable`, or `Unavailable` while draining.
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
            _log.info("admission", session_id=request.session_id, pool=request.pool, outcome=outcome)
        return lease

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> bool:
        """Give the slot back, or keep it for `keep_s` seconds; False if it is not the holder's."""
        released = await self._registry.release(session_id, holder, keep_s)
        if released:
            self._metrics.releases.labels("kept" if keep_s else "freed").inc()
            self._room.announce()
        return released

    async def _climb(self, request: AdmitRequest) -> Lease:
        attempt = Attempt(request.pool)
        while True:
            step = next_step(self._rules, replace(attempt, waiting=len(self._room)))
            match step:
                case TryPool(pool):
                    found = await self._try(request, pool)
                    attempt = replace(attempt, full=(*attempt.full, pool))
                case Wait(pool, for_s):
                    found = await self._wait(request, pool, for_s)
                    attempt = replace(attempt, waited_s=attempt.waited_s + for_s)
                case Refuse(error):
                    try:
                        raise error
                    finally:
                        del error, step  # this frame is in its traceback: they would wait for the collector
            if isinstance(found, Lease):
                return found
            gone = {pool} if found is NoSlot.NO_WORKER else set()
            if gone:
                self._unserved.note(pool)
            attempt = replace(attempt, without_worker=attempt.without_worker - {pool} | gone)

    async def _try(self, request: AdmitRequest, pool: PoolName) -> Lease | NoSlot:
        asked_s = self._clock.monotonic()
        found = await self._lease(request, pool)
        # A worker may have come since the last beat; others may be looking already.
        if isinstance(found, NoSlot) and await self._reaper.refresh_now(asked_s):
            found = await self._lease(request, pool)
        return found

    async def _wait(self, request: AdmitRequest, pool: PoolName, for_s: float) -> Lease | NoSlot:
        last = NoSlot.FULL

        async def ask() -> Lease | None:
            nonlocal last
            found = await self._lease(request, pool)
            if isinstance(found, Lease):
                return found
            last = found
            return None

        self._metrics.waiting.inc()
        try:
            return await self._room.wait(pool, for_s, ask) or last
        finally:
            self._metrics.waiting.dec()

    async def _lease(self, request: AdmitRequest, pool: PoolName) -> Lease | NoSlot:
        return await self._registry.lease(
            LeaseRequest(
                request.session_id, pool, request.pool, request.holder, request.tenant, request.takes_over
            )
        )
