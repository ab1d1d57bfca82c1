"""Several sessions behind one connection: their order, their bounds, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End, EndReason
from gateway.connection.transport import PeerGone, Take
from gateway.transport.shared_socket import Part, SharedSocket
from tests.unit.gateway.harness import eventually

APART = frozenset({EndReason.DONE, EndReason.DRAINING})


class Wire:
    """A connection whose client sends what the test says."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self.read: list[Frame] = []
        self.ends: list[End] = []

    async def pour(self, take: Take) -> None:
        while True:
            frame = await self.frames.get()
            if frame is None:
                raise PeerGone
            self.read.append(frame)
            if not take(frame):
                return

    async def send(self, frame: Frame) -> None:
        return

    def send_now(self, frame: Frame) -> bool:
        return True

    async def end(self, end: End) -> None:
        self.ends.append(end)

    def abort(self, after_s: float) -> None:
        return


class Session:
    """Reads its part while it may; ends when it is told how."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.how: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self.left = False

    async def serve(self, part: Part) -> None:
        reading = asyncio.create_task(self._read(part))
        both: list[asyncio.Future[Any]] = [reading, self.how]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if self.how.done():
            await part.end(self.how.result())
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, part: Part) -> None:
        try:
            while True:
                await self.reads.wait()
                await part.pour(self._take)
        except PeerGone:
            self.left = True

    def _take(self, frame: Frame) -> bool:
        self.heard.append(frame)
        return self.reads.is_set()


class World:
    """One wire with two sessions; a frame that begins with 0 or 1 is for that one."""

    def __init__(self, most_bytes: int = 4, *, second_holds: bool = True) -> None:
        self.wire = Wire()
        self.sessions = [Session(), Session()]
        self.parts: list[Part] = []
        self.socket = SharedSocket(self.wire, self._deliver, APART)
        self._most_bytes = most_bytes
        self._second_holds = second_holds
        self.running = asyncio.create_task(self.socket.run(self._begin))

    def _deliver(self, frame: Frame) -> None:
        self.parts[int(frame[:1])].put(frame)

    def _begin(self) -> None:
        for place, session in enumerate(self.sessions):
            holds = place == 0 or self._second_holds
            self.parts.append(self.socket.start(place, self._most_bytes, session.serve, holds=holds))

    def send(self, *frames: str) -> None:
        for frame in frames:
            self.wire.frames.put_nowait(frame)

    async def over(self) -> None:
        async with asyncio.timeout(5):
            await self.running


async def heard(session: Session, *frames: str) -> None:
    await eventually(lambda: session.heard == list(frames))


async def end(world: World, *reasons: EndReason) -> None:
    for session, reason in zip(world.sessions, reasons, strict=False):
        session.how.set_result(End(reason))
        await settled()


async def settled(condition: Callable[[], bool] = lambda: True) -> None:
    for _ in range(10):
        await asyncio.sleep(0)
    await eventually(condition)


async def test_each_session_hears_its_own_frames_and_the_last_end_closes() -> None:
    world = World()
    world.send("0a", "1b", "0c")
    await heard(world.sessions[0], "0a", "0c")
    await heard(world.sessions[1], "1b")
    await end(world, EndReason.DONE)
    assert world.wire.ends == []
    world.send("1d")
    await heard(world.sessions[1], "1b", "1d")
    world.sessions[1].how.set_result(End(EndReason.DRAINING))
    await world.over()
    assert [one.reason for one in world.wire.ends] == [EndReason.DRAINING], "done is the weakest word"


async def test_an_end_that_is_not_one_session_s_own_closes_at_once() -> None:
    world = World()
    await settled(lambda: len(world.parts) == 2)
    await end(world, EndReason.NO_CAPACITY)
    await world.over()
    assert [one.reason for one in world.wire.ends] == [EndReason.NO_CAPACITY]
    assert world.sessions[1].left


async def test_a_client_that_leaves_leaves_every_session() -> None:
    world = World()
    world.wire.frames.put_nowait(None)
    await world.over()
    assert [session.left for session in world.sessions] == [True, True]
    assert world.wire.ends == []


async def test_a_full_part_holds_the_connection_until_there_is_room() -> None:
    world = World(most_bytes=4)
    world.sessions[1].reads.clear()
    world.send("1a", "1b", "1c", "0d")
    await settled(lambda: len(world.wire.read) >= 2)
    assert world.wire.read == ["1a", "1b"]
    assert world.sessions[0].heard == []
    world.sessions[1].reads.set()
    await heard(world.sessions[0], "0d")
    await heard(world.sessions[1], "1a", "1b", "1c")
    await end(world, EndReason.DONE, EndReason.DONE)
    await world.over()


async def test_a_part_that_does_not_hold_may_be_looked_at() -> None:
    world = World(most_bytes=4, second_holds=False)
    world.sessions[1].reads.clear()
    world.send("1a", "1b", "1c", "0d")
    await heard(world.sessions[0], "0d")
    assert world.parts[1].full
    await end(world, EndReason.DONE, EndReason.DONE)
    await world.over()
    assert world.parts[1].ended


async def test_the_less_important_one_waits_while_the_other_has_frames() -> None:
    world = World(most_bytes=100)
    await settled(lambda: len(world.parts) == 2)
    world.parts[0].hold()
    world.send("0a", "1b")
    await settled(lambda: world.parts[1].waits)
    assert world.sessions[1].heard == []
    world.parts[0].go_on()
    await heard(world.sessions[0], "0a")
    await heard(world.sessions[1], "1b")
    await end(world, EndReason.DONE, EndReason.DONE)
    await world.over()
