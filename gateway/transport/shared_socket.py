"""One client connection that carries several sessions side by side: each has a `Transport` of its own.

One task reads the connection and hands each frame to the parts that it is for; each part has a bounded queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Set

from gateway.connection.dialect import Frame, bytes_of
from gateway.connection.end_reason import End, EndConnection, EndReason
from gateway.connection.transport import PeerGone, Take, Transport

Deliver = Callable[[Frame], None]
"""Puts a frame of the client into the parts that it is for. Raises `EndConnection` for what ends it all."""


class Part:
    """The `Transport` of one session. Frames wait in it, at most about `most_bytes`."""

    def __init__(self, socket: SharedSocket, most_bytes: int, holds: bool) -> None:
        """`holds`: while it is full the connection is not read."""
        self.holds = holds
        self._socket = socket
        self._most_bytes = most_bytes
        self._waiting: deque[Frame] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._may_read = True

    @property
    def full(self) -> bool:
        return self._bytes >= self._most_bytes

    @property
    def ended(self) -> bool:
        """Whether its session has ended: nobody takes a frame any more."""
        return not self._socket.has(self)

    @property
    def waits(self) -> bool:
        """Whether there is a frame that its session has not taken yet."""
        return bool(self._waiting)

    def put(self, frame: Frame) -> None:
        self._waiting.append(frame)
        self._bytes += bytes_of(frame)
        self._wake.set()

    def hold(self) -> None:
        """Give no further frame until `go_on`."""
        self._may_read = False

    def go_on(self) -> None:
        self._may_read = True
        self._wake.set()

    def wake(self) -> None:
        """Something has changed: look again."""
        self._wake.set()

    async def pour(self, take: Take) -> None:
        while True:
            self._wake.clear()
            while self._may_read and self._waiting and not self._socket.yields(self):
                frame = self._waiting.popleft()
                self._bytes -= bytes_of(frame)
                more = take(frame)
                self._socket.note_room()
                if not more:
                    return
            if self._socket.gone:
                raise PeerGone
            await self._wake.wait()

    async def send(self, frame: Frame) -> None:
        await self._socket.inner.send(frame)

    def send_now(self, frame: Frame) -> bool:
        return self._socket.inner.send_now(frame)

    async def end(self, end: End) -> None:
        await self._socket.part_ends(self, end)

    def abort(self, after_s: float) -> None:
        if self._socket.gone:
            self._socket.inner.abort(after_s)


class SharedSocket:
    """One connection with its parts, the more important ones first.

    An end for one of the reasons in `apart` is one part's own: the connection closes when the last part has
    ended. Any other end of a part is the end of the connection.
    """

    def __init__(self, inner: Transport, deliver: Deliver, apart: Set[EndReason]) -> None:
        self.inner = inner
        self.gone = False
        """Whether the connection is closed, by either side."""
        self._deliver = deliver
        self._apart = apart
        self._parts: list[Part] = []
        self._running = 0
        self._end: End | None = None
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    def has(self, part: Part) -> bool:
        """Whether it has not ended."""
        return part in self._parts

    def start(
        self,
        place: int,
        most_bytes: int,
        serve: Callable[[Part], Awaitable[None]],
        *,
        holds: bool = True,
    ) -> Part:
        """A new part, at this place of the order, which `serve` serves to its end. Only within `run`.

        `holds`: while it is full the connection is not read; else whoever delivers must look whether it is.
        """
        assert self._tasks is not None
        part = Part(self, most_bytes, holds)
        self._parts.insert(place, part)
        self._running += 1
        self._tasks.create_task(self._serve(part, serve), name=f"part-{place}")
        return part

    async def run(self, begin: Callable[[], None]) -> None:
        """Serve until the connection is closed; `begin` starts the first parts."""
        async with asyncio.TaskGroup() as self._tasks:
            begin()
            reading = self._tasks.create_task(self._read(), name="read-shared-socket")
            await self._idle.wait()
            reading.cancel()
        self._tasks = None

    # -- for parts -------------------------------------------------------------------------------------
    def yields(self, part: Part) -> bool:
        """Whether a more important part has frames that it has not taken."""
        return any(one.waits for one in self._parts[: self._place(part)])

    async def close(self, end: End) -> None:
        """Close the connection for this reason, whatever its parts do."""
        await self._close(end)
        if self._running == 0:
            self._idle.set()

    def note_room(self) -> None:
        """A part has taken a frame."""
        self._room.set()
        for part in self._parts:
            part.wake()

    async def part_ends(self, part: Part, end: End) -> None:
        if part in self._parts:
            self._parts.remove(part)
        self.note_room()
        if end.reason in self._apart:
            if self._end is None or self._end.reason is EndReason.DONE:
                self._end = end
            if self._parts:
                return
            end = self._end
        await self._close(end)

    # -- inside ----------------------------------------------------------------------------------------
    def _place(self, part: Part) -> int:
        return self._parts.index(part) if part in self._parts else 0

    async def _serve(self, part: Part, serve: Callable[[Part], Awaitable[None]]) -> None:
        try:
            await serve(part)
        finally:
            if part in self._parts:
                self._parts.remove(part)
            self._running -= 1
            self.note_room()
            if self._running == 0:
                self._idle.set()

    async def _read(self) -> None:
        try:
            while True:
                await self.inner.pour(self._take)
                while self._full():
                    self._room.clear()
                    await self._room.wait()
        except PeerGone:
            self._leave()
            if self._running == 0:
                self._idle.set()
        except EndConnection as ending:
            await self.close(ending.end)

    def _take(self, frame: Frame) -> bool:
        self._deliver(frame)
        return not self._full()

    def _full(self) -> bool:
        return any(part.holds and part.full for part in self._parts)

    async def _close(self, end: End) -> None:
        if not self.gone:
            self._leave()
            await self.inner.end(end)

    def _leave(self) -> None:
        """Every part finds its client gone."""
        self.gone = True
        for part in self._parts:
            part.go_on()
