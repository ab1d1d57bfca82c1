"""A reciter with a bad line: its sockets break at the worst moments, and sometimes it opens two."""

from __future__ import annotations

import asyncio
import random

import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.history import Event
from tests.e2e.reciter import LOST, Recital, Reciter, close_code

SUPERSEDED = 4501
MISHAP_RATE = 0.05
"""Chance of a mishap per event received."""
MAX_MISHAPS = 3
DROP_AFTER_END = 0.3


class ClumsyReciter(Reciter):
    """All its randomness comes from `seed`."""

    def __init__(self, name: str, urls: list[str], recital: Recital, seed: int) -> None:
        super().__init__(name, urls, recital, deadline_s=75.0)
        self._rng = random.Random(f"{seed}-{name}")
        self._mishaps = MAX_MISHAPS
        self._rivals: list[asyncio.Task[None]] = []
        self.mishaps: list[str] = []

    async def _receive(self, socket: ClientConnection) -> Event:
        event = await super()._receive(socket)
        if self._mishaps and self._rng.random() < MISHAP_RATE:
            self._mishaps -= 1
            if self._rng.random() < 0.3:
                self.mishaps.append(f"rival after {event['type']}")
                self._rivals.append(asyncio.create_task(self._rival(), name="rival"))
            elif not self._done:
                self.mishaps.append(f"drop after {event['type']}")
                socket.transport.abort()
        return event

    async def _send(self, socket: ClientConnection, from_sample: int) -> None:
        await super()._send(socket, from_sample)
        if self._mishaps and self._rng.random() < DROP_AFTER_END:
            self._mishaps -= 1
            self.mishaps.append("drop after end")
            await asyncio.sleep(self._rng.choice((0.0, 0.05, 0.3)))
            socket.transport.abort()

    async def _rival(self) -> None:
        """A second connection for the same session, from another tab, that soon goes away again."""
        url = self._url(self._rng.choice(self._urls))
        try:
            async with connect(url, open_timeout=5, ping_interval=None, compression=None) as socket:
                await socket.recv()
                await asyncio.sleep(self._rng.uniform(0, 0.4))
                if self._rng.random() < 0.5:
                    socket.transport.abort()
        except LOST:
            return

    def _must_give_up(self, lost: Exception) -> bool:
        superseded = isinstance(lost, websockets.ConnectionClosed) and close_code(lost) == SUPERSEDED
        if superseded and self._rivals:
            return False
        return super()._must_give_up(lost)
