"""The leases this process holds: admitted one by one, renewed all together by one task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.admission.refusal_cache import RefusalCache
from gateway.admission.router_client import Admission
from shared.clock import Clock, SystemClock
from shared.errors import NoCapacity, RattilError, RouterUnavailable
from shared.ids import ConnectionId, PoolName, SessionId
from shared.protocol.workers import AdmitRequest, Lease
from shared.service.logging import get_logger

_log = get_logger(__name__)

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
    ) -> None:
        """`refusal_memory_s`: how long a router's "no capacity" counts for other newcomers, too."""
        self._admission = admission
        self._renew_every_s = renew_every_s
        self._clock = clock or SystemClock()
        self._refusals = RefusalCache(refusal_memory_s)
        self._tell_load: Callable[[float], None] = lambda load: None
        self._held: dict[SessionId, tuple[ConnectionId, AdmitRequest]] = {}
        self._releasing = asyncio.Semaphore(_RELEASED_AT_ONCE)

    @property
    def count(self) -> int:
        return len(self._held)

    def expect_room(self) -> None:
        """Raises `NoCapacity` if a router has just said so: for new sessions, before they cost anything.

        A session that may hold a lease must not be asked this: it keeps its place.
        """
        refusal = self._refusals.recall(self._clock.monotonic())
        if refusal is not None:
            try:
                raise refusal
            finally:
                del refusal  # this frame is in its traceback: the two would wait for the collector

    async def admit(self, request: AdmitRequest, connection_id: ConnectionId) -> Lease:
        """Raises `NoCapacity` or `RouterUnavailable`."""
        asked_s = self._clock.monotonic()
        try:
            lease = await self._admission.admit(request)
        except NoCapacity as refusal:
            self._refusals.remember(refusal, asked_s, self._clock.monotonic())
            self._tell_load(1.0)
            raise
        self._refusals.forget()
        self._held[request.session_id] = (connection_id, request)
        return lease

    async def release(self, session_id: SessionId, connection_id: ConnectionId) -> None:
        """Give the slot back, unless a newer connection of this process holds it by now."""
        holder = self._held.get(session_id)
        if holder is None or holder[0] != connection_id:
            return
        del self._held[session_id]
        self._refusals.forget()
        try:
            async with self._releasing:
                await self._admission.release(session_id, connection_id)
        except RattilError as error:
            _log.info("lease_not_released", session_id=session_id, error=error.message)

    def forget(self, session_id: SessionId, connection_id: ConnectionId) -> None:
        """The session lives on elsewhere: its lease is the newer connection's."""
        holder = self._held.get(session_id)
        if holder is not None and holder[0] == connection_id:
            del self._held[session_id]

    async def run(self, pool: PoolName, tell_load: Callable[[float], None]) -> None:
        """Renew for ever; a router that is away is asked again at the next turn.

        With each turn, and when a session is refused, `tell_load` hears which share of the pool's session
        slots is in use.
        """
        self._tell_load = tell_load
        while True:
            await asyncio.sleep(self._renew_every_s)
            try:
                await self.renew()
                tell_load(await self._admission.utilisation(pool))
            except RouterUnavailable as error:
                _log.warning("leases_not_renewed", held=len(self._held), error=error.message)

    async def renew(self) -> None:
        """One call for all; a lost lease is asked for anew, a live session is never cut for it."""
        if not self._held:
            return
        reply = await self._admission.renew(tuple(self._held))
        for session_id in reply.lost:
            holder = self._held.get(session_id)
            if holder is None:
                continue
            try:
                await self._admission.admit(holder[1])
            except NoCapacity:
                _log.warning("lease_lost", session_id=session_id)
