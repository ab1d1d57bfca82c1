"""The leases this process holds: admitted one by one, renewed together by one task that never ends."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from gateway.admission.refusal_cache import RefusalCache
from gateway.admission.router_client import Admission
from gateway.metrics import GatewayMetrics
from shared.clock import Clock, SystemClock
from shared.errors import NoCapacity, RattilError, RouterUnavailable
from shared.ids import PoolName, SessionId
from shared.protocol.workers import AdmitRequest, HeldLease, Lease
from shared.service.logging import get_logger

_log = get_logger(__name__)

RENEWED_PER_CALL = 500
RENEWALS_AT_ONCE = 4
"""Two thousand leases on their way; more wait. Each call is a few milliseconds of the control Redis."""

LONGEST_RETRY_S = 2.0
"""Pause after a turn that failed: routers that are back are noticed within it."""

TellLoad = Callable[[PoolName, float], None]
"""Called with a pool and the share of its session slots that is in use."""

_RELEASED_AT_ONCE = 16
"""When a crowd leaves at once its leases go back in turn: all together they would time out waiting for
connections to the router, and their slots stay taken until the leases run out."""


class LeaseKeeper:
    """Sessions of live connections. Bounded by the number of connections."""

    def __init__(
        self,
        admission: Admission,
        renew_every_s: float,
        refusal_memory_s: float = 0.0,
        clock: Clock | None = None,
        metrics: GatewayMetrics | None = None,
    ) -> None:
        """`refusal_memory_s`: how long a router's "no capacity" counts for other newcomers, too."""
        self._admission = admission
        self._renew_every_s = renew_every_s
        self._clock = clock or SystemClock()
        self._metrics = metrics
        self._refusals: defaultdict[PoolName, RefusalCache] = defaultdict(
            lambda: RefusalCache(refusal_memory_s)
        )
        self._tell_load: TellLoad = lambda pool, load: None
        self._held: dict[SessionId, HeldLease] = {}
        self._contested: set[SessionId] = set()
        self._releasing = asyncio.Semaphore(_RELEASED_AT_ONCE)
        self._renewing = asyncio.Semaphore(RENEWALS_AT_ONCE)
        self._away_since_s: float | None = None

    @property
    def count(self) -> int:
        return len(self._held)

    def expect_room(self, pool: PoolName) -> None:
        """Raises `NoCapacity` if a router has just said so of this pool: for new sessions, before they cost
        anything.

        A session that may hold a lease must not be asked this: it keeps its place.
        """
        refusal = self._refusals[pool].recall(self._clock.monotonic())
        if refusal is not None:
            try:
                raise refusal
            finally:
                del refusal  # this frame is in its traceback: the two would wait for the collector

    async def admit(self, request: AdmitRequest) -> Lease:
        """Raises `NoCapacity`, `LeaseHeld` or `RouterUnavailable`."""
        asked_s = self._clock.monotonic()
        try:
            lease = await self._admission.admit(request)
        except NoCapacity as refusal:
            self._refusals[request.pool].remember(refusal, asked_s, self._clock.monotonic())
            self._tell_load(request.pool, 1.0)
            raise
        self._refusals[request.pool].forget()
        self._hold(request, lease.pool)
        return lease

    def hold(self, request: AdmitRequest) -> None:
        """A session that lives, though no router could be asked: its lease is made with the next renewal."""
        self._hold(request, request.pool)

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> None:
        """Give the slot back (or have it kept, s), unless a newer connection of this process holds it."""
        held = self._held.get(session_id)
        if held is None or not self.forget(session_id, holder):
            return
        if not keep_s:
            # A full pool may have sent its sessions to this one: whoever asked for either may find room now.
            for pool in {held.pool, held.requested_pool}:
                self._refusals[pool].forget()
        await self._give_back(session_id, holder, keep_s)

    async def release_deleted(self, session_id: SessionId, owner: str) -> None:
        """Give the slot of a deleted session back, whichever gateway its owner is connected to."""
        if session_id in self._held:
            await self.release(session_id, owner)
        else:
            await self._give_back(session_id, owner, 0.0)

    def forget(self, session_id: SessionId, holder: str) -> bool:
        """Renew it no more: the session lives on elsewhere. False if this holder had no lease here."""
        held = self._held.get(session_id)
        if held is None or held.holder != holder:
            return False
        del self._held[session_id]
        self._contested.discard(session_id)
        return True

    async def run(self, pools: Sequence[PoolName], tell_load: TellLoad) -> None:
        """Renew for ever; whatever goes wrong in a turn is logged and counted, and the next turn comes.

        With each turn, and when a session is refused, `tell_load` hears which share of each pool's session
        slots is in use.
        """
        self._tell_load = tell_load
        while True:
            # The first turn comes at once: the load decides how long the first windows are.
            pause_s = self._renew_every_s
            if not await self._turn(pools, tell_load):
                pause_s = min(LONGEST_RETRY_S, self._renew_every_s)
            # Not all gateways at the same moment, above all when routers come back.
            await asyncio.sleep(pause_s * random.uniform(0.75, 1.0))

    async def renew(self) -> None:
        """Every lease once, in a few calls at a time. Raises what the first failed call raised."""
        held = [
            msgspec.structs.replace(lease, takes_over=lease.session_id in self._contested)
            for lease in self._held.values()
        ]
        calls = [
            self._renew(held[start : start + RENEWED_PER_CALL])
            for start in range(0, len(held), RENEWED_PER_CALL)
        ]
        failures = [
            outcome for outcome in await asyncio.gather(*calls, return_exceptions=True) if outcome is not None
        ]
        if failures:
            try:
                raise failures[0]
            finally:
                failures.clear()  # this frame is in their tracebacks: they would wait for the collector

    # -- one turn ------------------------------------------------------------------------------------
    async def _turn(self, pools: Sequence[PoolName], tell_load: TellLoad) -> bool:
        """Whether the routers could be asked."""
        try:
            await self.renew()
            loads = {status.pool: status.utilisation for status in await self._admission.pools()}
            for pool in pools:
                tell_load(pool, loads.get(pool, 0.0))
        except RouterUnavailable as error:
            self._count("failed")
            if self._away_since_s is None:
                self._away_since_s = self._clock.monotonic()
                _log.warning("leases_not_renewed", held=len(self._held), error=error.message)
            return False
        except Exception:
            # Without renewals every session of this gateway would lose its slot.
            self._count("failed")
            _log.exception("lease_renewal_failed", held=len(self._held))
            return False
        if self._away_since_s is not None:
            away_s = round(self._clock.monotonic() - self._away_since_s, 1)
            self._away_since_s = None
            _log.info("leases_renewed_again", held=len(self._held), away_s=away_s)
        return True

    async def _renew(self, held: Sequence[HeldLease]) -> None:
        async with self._renewing:
            reply = await self._admission.renew(held)
        self._count("renewed", len(reply.leases) - len(reply.restored))
        self._count("restored", len(reply.restored))
        self._count("taken", len(reply.taken))
        # One that finds its lease with another has until the next turn to hear that it was superseded.
        asked = {lease.session_id for lease in held}
        self._contested = (self._contested - asked) | (set(reply.taken) & self._held.keys())
        if reply.restored:
            holders = {lease.session_id: lease.holder for lease in held}
            await self._give_back_ended([(name, holders[name]) for name in reply.restored])

    async def _give_back_ended(self, restored: Sequence[tuple[SessionId, str]]) -> None:
        """A session that ended while its lease was being made again must not leave one behind."""
        ended = []
        for session_id, holder in restored:
            now = self._held.get(session_id)
            if now is None or now.holder != holder:
                ended.append(self._give_back(session_id, holder, 0.0))
        await asyncio.gather(*ended)

    async def _give_back(self, session_id: SessionId, holder: str, keep_s: float) -> None:
        try:
            async with self._releasing:
                await self._admission.release(session_id, holder, keep_s)
        except RattilError as error:
            _log.info("lease_not_released", session_id=session_id, error=error.message)

    def _hold(self, request: AdmitRequest, pool: PoolName) -> None:
        self._held[request.session_id] = HeldLease(
            request.session_id, request.holder, pool, request.pool, request.tenant
        )
        self._contested.discard(request.session_id)

    def _count(self, outcome: str, times: int = 1) -> None:
        if self._metrics is not None:
            self._metrics.lease_renewals.labels(outcome).inc(times)
