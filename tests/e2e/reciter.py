"""A reciter for end-to-end tests: streams PCM on an absolute schedule, resumes anywhere, keeps notes.

Independent of the product's own client on purpose: the judge should not share code with the judged.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from urllib.parse import urlencode

import websockets
from websockets.asyncio.client import ClientConnection, connect

from shared.audio.formats import SAMPLE_RATE
from tests.e2e.history import Event, History

TERMINAL_CODES = range(4500, 5000)
RECONNECT_PAUSE_S = 0.2
LOST = (OSError, TimeoutError, websockets.InvalidHandshake, websockets.ConnectionClosed)


@dataclass(frozen=True)
class Recital:
    """What to recite: PCM16 mono 16 kHz bytes, and how. `pace` 1.0 is real time."""

    pcm: bytes
    surah: int
    ayah: int
    to: int | None = None
    pace: float = 1.0
    frame_ms: int = 250

    @property
    def samples(self) -> int:
        return len(self.pcm) // 2


class Reciter:
    """One session over as many connections as it takes."""

    opening = "ready"
    """The first event of a connection."""
    seq_events = frozenset({"partial_result", "error"})
    last_events = frozenset({"final_result", "final_result_error"})

    def __init__(self, name: str, urls: list[str], recital: Recital, deadline_s: float = 90.0) -> None:
        self.history = History(name)
        self.closes: list[int | None] = []
        """Close code of each connection that ended before the recital did; None if it just broke."""
        self.left: list[tuple[str, float]] = []
        """Which gateway each of them was on, and when it ended (seconds of the loop's clock)."""
        self._urls = urls
        self._recital = recital
        self._deadline_s = deadline_s
        self._session_id = ""
        self._last_seq = -1
        self._acked = 0
        self._sent = 0
        self._done = False
        self.socket: ClientConnection | None = None
        """The connection in use, None between two."""
        self.may_end: asyncio.Event | None = None
        """The last frame is not sent before it is set: the recital lasts as long as something else does."""
        self._started_s = 0.0
        self._turn = random.Random(name).randrange(len(urls))

    async def recite(self) -> History:
        """Stream everything, reconnecting as often as needed; returns when the final result is here."""
        self._started_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(self._deadline_s):
            while not self._done:
                url = self._urls[self._turn % len(self._urls)]
                try:
                    await self._one_connection(url)
                except LOST as lost:
                    if isinstance(lost, websockets.ConnectionClosed):
                        self.closes.append(close_code(lost))
                        self.left.append((url, asyncio.get_running_loop().time()))
                    if self._must_give_up(lost):
                        raise
                    self._turn += 1
                    await asyncio.sleep(RECONNECT_PAUSE_S)
        return self.history

    @property
    def has_sent_everything(self) -> bool:
        return self._sent >= self._recital.samples

    @property
    def seconds_left(self) -> float:
        """Audio that is still to be sent, seconds."""
        return (self._recital.samples - self._sent) / SAMPLE_RATE

    def drop(self) -> None:
        """Break the line now, as a phone in a tunnel does."""
        if self.socket is not None:
            self.socket.transport.abort()

    async def _one_connection(self, base_url: str) -> None:
        async with connect(
            self._url(base_url), open_timeout=5, ping_interval=None, compression=None
        ) as socket:
            offset = await self._opened(socket)
            if offset is None:
                await socket.wait_closed()
                return
            self.history.connections += 1
            self.socket = socket
            sender = asyncio.create_task(self._send(socket, offset), name="reciter-send")
            try:
                while not self._done:
                    await self._receive(socket)
            finally:
                self.socket = None
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)

    async def _opened(self, socket: ClientConnection) -> int | None:
        """The sample to send from; None if the session was refused."""
        ready = await self._receive(socket)
        if ready["type"] != self.opening:
            return None
        self._session_id = ready["session_id"]
        return int(ready["offset"])

    def _url(self, base_url: str) -> str:
        query: dict[str, str | int] = {"surah": self._recital.surah, "ayah": self._recital.ayah}
        if self._recital.to is not None:
            query["to"] = self._recital.to
        if self._session_id:
            query |= {"session_id": self._session_id, "last_seq": self._last_seq, "offset": self._acked}
        return f"{base_url}/ws/recite?{urlencode(query)}"

    def _must_give_up(self, lost: Exception) -> bool:
        """Whether the server said not to come back."""
        return isinstance(lost, websockets.ConnectionClosed) and close_code(lost) in TERMINAL_CODES

    async def _send(self, socket: ClientConnection, from_sample: int) -> None:
        loop = asyncio.get_running_loop()
        recital, step = self._recital, self._recital.frame_ms * SAMPLE_RATE // 1000
        position = from_sample
        while position < recital.samples:
            due_s = self._started_s + (position + step) / SAMPLE_RATE / recital.pace
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            end = min(position + step, recital.samples)
            if end == recital.samples and self.may_end is not None:
                await self.may_end.wait()
            await socket.send(recital.pcm[2 * position : 2 * end])
            position = end
            self._sent = max(self._sent, position)
            self.history.samples_sent = self._sent
        await socket.send("end")

    async def _receive(self, socket: ClientConnection) -> Event:
        event: Event = json.loads(await socket.recv())
        self.history.events.append(event)
        kind = event["type"]
        if kind == "ack":
            self._acked = int(event["offset"])
        elif kind in self.seq_events and event.get("seq") is not None:
            self._last_seq = int(event["seq"])
        elif kind in self.last_events:
            self._done = True
        return event


def close_code(lost: websockets.ConnectionClosed) -> int | None:
    """The server's close code, None if the connection just broke."""
    return None if lost.rcvd is None else lost.rcvd.code
