"""The slot of one connection: taken before its session begins, given back or kept when it has ended."""

from __future__ import annotations

from gateway.admission.lease_keeper import LeaseKeeper
from shared.errors import RouterUnavailable
from shared.ids import PoolName
from shared.protocol.workers import AdmitRequest


class Slot:
    """Whoever takes it calls `give_back` on every way out."""

    def __init__(self, leases: LeaseKeeper, request: AdmitRequest, grace_s: float) -> None:
        """`grace_s`: how long the slot waits for a client that may come back."""
        self._leases = leases
        self._request = request
        self._grace_s = grace_s
        self._keep = False

    async def take(self, pool: PoolName, *, owner: bool, may_be_live: bool = False) -> PoolName:
        """The pool to push to.

        `owner`: the session store has given this connection a session that exists; it goes on without
        a router, and so does one that `may_be_live`. Raises `NoCapacity`, `LeaseHeld`, `RouterUnavailable`.
        """
        request = AdmitRequest(
            self._request.session_id,
            self._request.holder,
            pool,
            self._request.tenant,
            self._request.protocol,
            takes_over=owner,
        )
        self._keep = owner
        try:
            return (await self._leases.admit(request)).pool
        except RouterUnavailable:
            if not owner and not may_be_live:
                raise
            self._leases.hold(request)
            return pool

    def keep(self, keep: bool) -> None:
        """Whether the client may come back for this session when the connection has ended."""
        self._keep = keep

    def forget(self) -> None:
        """A newer connection has the session, and its slot."""
        self._leases.forget(self._request.session_id, self._request.holder)

    async def give_back(self) -> None:
        """At the end, however it came; nothing happens if no slot was taken."""
        keep_s = self._grace_s if self._keep else 0.0
        await self._leases.release(self._request.session_id, self._request.holder, keep_s)
