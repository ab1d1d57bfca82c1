"""Places of connections, and how they leave on a drain."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from gateway.connection.end_reason import EndReason
from gateway.connection.registry import ConnectionRegistry, TooManySessions
from shared.errors import (
    Draining,
    NoCapacity,
    Overloaded,
)
from shared.ids import ConnectionId, PoolName, SessionId


class Leaver:
    """A connection that leaves its place when asked."""

    def __init__(self, wait_s: float | None = None, pool: str = "default") -> None:
        self.asked: list[EndReason] = []
        self.left = asyncio.Event()
        self.wait_s = wait_s
        self.pool = PoolName(pool)

    def ask_to_end(self, reason: EndReason) -> None:
        self.asked.append(reason)
        self.left.set()

    async def stay(self, connections: ConnectionRegistry, name: str) -> None:
        with connections.place(SessionId(name)), connections.live(ConnectionId(name), self):
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
    with pytest.raises(Draining), connections.place(SessionId("s")):
        pass


async def test_a_drain_asks_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    connections, leavers = ConnectionRegistry(10), [Leaver() for _ in range(4)]
    pauses: list[tuple[float, int]] = []
    turn_of_the_loop = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append((seconds, sum(len(leaver.asked) for leaver in leavers)))
        await turn_of_the_loop(0)

    async with asyncio.TaskGroup() as tasks:
        for turn, leaver in enumerate(leavers):
            tasks.create_task(leaver.stay(connections, str(turn)))
        await turn_of_the_loop(0)
        monkeypatch.setattr(asyncio, "sleep", noted)
        await connections.drain(2.0)
    assert pauses == [(0.5, 1), (0.5, 2), (0.5, 3)]


async def test_who_comes_during_a_drain_is_asked_at_once() -> None:
    connections, leaver = ConnectionRegistry(10), Leaver()
    await connections.drain(0)
    with connections.live(ConnectionId("c"), leaver):
        assert leaver.asked == [EndReason.DRAINING]


async def test_there_are_only_so_many_places() -> None:
    connections = ConnectionRegistry(1)
    with connections.place(SessionId("s")), pytest.raises(NoCapacity), connections.place(SessionId("s")):
        pass
    assert connections.count == 0


def test_an_address_and_a_tenant_have_their_share() -> None:
    connections = ConnectionRegistry(10, per_address=2, per_tenant=3)
    first, second, third, fourth = (SessionId(name) for name in "abcd")
    with (
        connections.place(first, "acme", "10.0.0.1"),
        connections.place(second, "acme", "10.0.0.1"),
        connections.place(third, "acme", "10.0.0.2"),
    ):
        with pytest.raises(TooManySessions, match="your address"), connections.place(fourth, "b", "10.0.0.1"):
            pass
        with (
            pytest.raises(TooManySessions, match="your tenant"),
            connections.place(fourth, "acme", "10.0.0.3"),
        ):
            pass
        with connections.place(first, "acme", "10.0.0.1"):  # it comes back before its old socket is noticed
            assert connections.count == 4
        with connections.place(fourth, "b", "10.0.0.3"):
            pass
    with connections.place(fourth, "acme", "10.0.0.1"):
        assert connections.count == 1


def test_addresses_of_one_ipv6_subscriber_are_one() -> None:
    connections = ConnectionRegistry(10, per_address=1)
    with (
        connections.place(SessionId("a"), "", "2001:db8::1"),
        pytest.raises(TooManySessions),
        connections.place(SessionId("b"), "", "2001:db8::ffff"),
    ):
        pass


async def test_the_last_to_leave_is_not_waited_for_longer_than_it_takes() -> None:
    connections, leaver = ConnectionRegistry(10), Leaver()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(leaver.stay(connections, "one"))
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await connections.drain(3600)


def test_a_protocol_may_have_fewer_connections_than_all_together() -> None:
    connections = ConnectionRegistry(10, per_protocol={"few": 1})
    first, second = SessionId("first"), SessionId("second")
    with connections.place(first, protocol="few"):
        with pytest.raises(NoCapacity, match="its 1 connections"), connections.place(second, protocol="few"):
            pass
        with connections.place(second, protocol="many"), connections.place(first, protocol="few"):
            assert connections.count == 3
    with connections.place(second, protocol="few"):
        assert connections.count == 1


def test_who_would_not_wait_is_refused_while_most_wait_too_long() -> None:
    connections = ConnectionRegistry(10)

    def expect(pool: str = "default") -> None:
        connections.expect_in_time(PoolName(pool), 5.0)

    with ExitStack() as stack:
        for turn, one in enumerate([Leaver(None), Leaver(None), Leaver(6.0), Leaver(0.2, "fast")]):
            stack.enter_context(connections.live(ConnectionId(str(turn)), one))
        expect("fast")
        expect("accurate")  # nobody is there yet
        with pytest.raises(Overloaded) as refused:
            expect()  # those that wait for nothing say nothing
        assert refused.value.retry_after_s == 5.0
        assert "6.0 s" in refused.value.message
        stack.enter_context(connections.live(ConnectionId("another"), Leaver(1.0)))
        expect()  # one that is slow alone is no overload
    expect()
