"""The live connections of one process: how many there may be, and how they leave on a drain."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from gateway.connection.end_reason import EndReason
from shared.addresses import network_of
from shared.errors import Draining, NoCapacity, Overloaded
from shared.ids import ConnectionId, PoolName, SessionId

_LEAVE_S = 5.0
"""How long the last connections may take to leave after they were asked, seconds."""


class TooManySessions(NoCapacity):
    """A client address or a tenant has as many sessions here as it may."""

    code = "too_many_sessions"


class Closable(Protocol):
    """A live connection as the drain sees it."""

    def ask_to_end(self, reason: EndReason) -> None:
        """Save, then end for this reason; returns at once."""
        ...

    @property
    def pool(self) -> PoolName:
        """Who decodes its audio."""
        ...

    @property
    def wait_s(self) -> float | None:
        """How long its results take now, seconds; None while it waits for none."""
        ...


class ConnectionRegistry:
    """Counts and lists live connections; refuses new ones at the limit and while draining."""

    def __init__(
        self,
        limit: int,
        on_ended: Callable[[int], None] = lambda live: None,
        *,
        per_address: int = 0,
        per_tenant: int = 0,
        per_protocol: Mapping[str, int] | None = None,
    ) -> None:
        """`on_ended` hears of every connection that was live and has ended, and how many are left.

        `per_address`, `per_tenant`: sessions of one client address and of one tenant; 0: no bound.
        `per_protocol`: connections of protocols that may have fewer than `limit`.
        """
        self._limit = limit
        self._per_address = per_address
        self._per_tenant = per_tenant
        self._per_protocol = per_protocol or {}
        self._connections_of: Counter[str] = Counter()
        self._sessions_at: Counter[str] = Counter()
        self._sessions_of: Counter[str] = Counter()
        self._speaking: Counter[str] = Counter()
        """Connections by protocol."""
        self._on_ended = on_ended
        self._live: dict[ConnectionId, Closable] = {}
        self._reserved = 0
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def count(self) -> int:
        return self._reserved

    @contextmanager
    def place(
        self, session_id: SessionId, tenant: str = "", address: str = "", protocol: str = ""
    ) -> Iterator[None]:
        """Hold one of the places. Raises `Draining`, `NoCapacity` or `TooManySessions` (none is held then).

        A session that has a connection here already is not refused for its share: the newer connection
        takes it over.
        """
        if self._draining:
            raise Draining("this gateway is going away; reconnect to be served by another one", 0.5)
        if self._reserved >= self._limit:
            raise NoCapacity(f"this gateway serves its {self._limit} connections already; retry later", 5.0)
        network = network_of(address)
        if session_id not in self._connections_of:
            self._check_share(tenant, network, protocol)
        self._reserved += 1
        self._empty.clear()
        self._count(session_id, tenant, network, protocol, 1)
        try:
            yield
        finally:
            self._count(session_id, tenant, network, protocol, -1)
            self._reserved -= 1
            if self._reserved == 0:
                self._empty.set()

    def _check_share(self, tenant: str, network: str, protocol: str) -> None:
        most = self._per_protocol.get(protocol, self._limit)
        if self._speaking[protocol] >= most:
            raise NoCapacity(
                f"this gateway serves its {most} connections of this protocol already; retry later", 5.0
            )
        if network and self._per_address and self._sessions_at[network] >= self._per_address:
            raise TooManySessions(f"{self._per_address} sessions of your address are open already", 5.0)
        if tenant and self._per_tenant and self._sessions_of[tenant] >= self._per_tenant:
            raise TooManySessions(f"{self._per_tenant} sessions of your tenant are open already", 5.0)

    def _count(self, session_id: SessionId, tenant: str, network: str, protocol: str, by: int) -> None:
        for counts, name in (
            (self._connections_of, session_id),
            (self._sessions_at, network),
            (self._sessions_of, tenant),
            (self._speaking, protocol),
        ):
            counts[name] += by
            if counts[name] <= 0:
                del counts[name]

    @contextmanager
    def live(self, connection_id: ConnectionId, connection: Closable) -> Iterator[None]:
        """List a connection that can be asked to close."""
        self._live[connection_id] = connection
        if self._draining:
            connection.ask_to_end(EndReason.DRAINING)
        try:
            yield
        finally:
            del self._live[connection_id]
            self._on_ended(len(self._live))

    def expect_in_time(self, pool: PoolName, longest_s: float) -> None:
        """Raises `Overloaded` while most sessions of this pool that wait for results wait longer."""
        waits_s = [
            wait_s for one in self._live.values() if one.pool == pool and (wait_s := one.wait_s) is not None
        ]
        if waits_s and (typical_s := statistics.median(waits_s)) > longest_s:
            raise Overloaded(
                f"results take {typical_s:.1f} s now, and overflow=reject was asked for; "
                "try again later, or choose overflow=queue",
                longest_s,
            )

    async def drain(self, seconds: float) -> None:
        """Ask all connections to move, evenly spread over `seconds`, and wait until they have left."""
        self._draining = True
        waiting = list(self._live)
        pause_s = seconds / max(len(waiting), 1)
        for turn, connection_id in enumerate(waiting):
            if turn:  # none after the last one: who leaves has nothing to wait for
                await asyncio.sleep(pause_s)
            connection = self._live.get(connection_id)
            if connection is not None:
                connection.ask_to_end(EndReason.DRAINING)
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._empty.wait()
        except TimeoutError:
            return
