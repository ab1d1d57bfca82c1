"""The live connections of one process: how many there may be, and how they leave on a drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from gateway.connection.end_reason import EndReason
from shared.errors import Draining, NoCapacity
from shared.ids import ConnectionId

_LEAVE_S = 5.0
"""How long the last connections may take to leave after they were asked, seconds."""


class Closable(Protocol):
    """A live connection as the drain sees it."""

    def ask_to_end(self, reason: EndReason) -> None:
        """Save, then end for this reason; returns at once."""
        ...


class ConnectionRegistry:
    """Counts and lists live connections; refuses new ones at the limit and while draining."""

    def __init__(self, limit: int, on_ended: Callable[[int], None] = lambda live: None) -> None:
        """`on_ended` hears of every connection that was live and has ended, and how many are left."""
        self._limit = limit
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
    def place(self) -> Iterator[None]:
        """Hold one of the places. Raises `Draining` or `NoCapacity` (neither is held then)."""
        if self._draining:
            raise Draining("this gateway is going away; reconnect to be served by another one", 0.5)
        if self._reserved >= self._limit:
            raise NoCapacity(f"this gateway serves its {self._limit} connections already; retry later", 5.0)
        self._reserved += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._reserved -= 1
            if self._reserved == 0:
                self._empty.set()

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

    def stop_accepting(self) -> None:
        self._draining = True

    async def drain(self, seconds: float) -> None:
        """Ask all connections to move, evenly spread over `seconds`, and wait until they have left."""
        self._draining = True
        waiting = list(self._live)
        pause_s = seconds / max(len(waiting), 1)
        for connection_id in waiting:
            connection = self._live.get(connection_id)
            if connection is None:
                continue
            connection.ask_to_end(EndReason.DRAINING)
            await asyncio.sleep(pause_s)
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._empty.wait()
        except TimeoutError:
            return
