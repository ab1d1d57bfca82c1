"""Places of connections, and how they leave on a drain."""

from __future__ import annotations

import asyncio

import pytest

from gateway.connection.end_reason import EndReason
from gateway.connection.registry import ConnectionRegistry
from shared.errors import (
    Draining,
    NoCapacity,
)
from shared.ids import ConnectionId


class Leaver:
    """A connection that leaves its place when asked."""

    def __init__(self) -> None:
        self.asked: list[EndReason] = []
        self.left = asyncio.Event()

    def ask_to_end(self, reason: EndReason) -> None:
        self.asked.append(reason)
        self.left.set()

    async def stay(self, connections: ConnectionRegistry, name: str) -> None:
        with connections.place(), connections.live(ConnectionId(name), self):
            await self.left.wait()


async def test_a_drain_asks_everybody_and_waits_until_they_left() -> None:
    connections, leavers = ConnectionRegistry(10), [Leaver() for _ in range(4)]
    async with asyncio.TaskGroup() as tasks:
        for turn, leaver in enumerate(leavers):
            tasks.create_task(leaver.stay(connections, str(turn)))
        await asyncio.sleep(0)
        assert connections.count == 4
        await connections.drain(0)
        assert connections.count == 0
    assert [leaver.asked for leaver in leavers] == [[EndReason.DRAINING]] * 4
    with pytest.raises(Draining), connections.place():
        pass


async def test_who_comes_during_a_drain_is_asked_at_once() -> None:
    connections, leaver = ConnectionRegistry(10), Leaver()
    connections.stop_accepting()
    with connections.live(ConnectionId("c"), leaver):
        assert leaver.asked == [EndReason.DRAINING]


async def test_there_are_only_so_many_places() -> None:
    connections = ConnectionRegistry(1)
    with connections.place(), pytest.raises(NoCapacity), connections.place():
        pass
    assert connections.count == 0
