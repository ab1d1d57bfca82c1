"""Full collections come by the number of ended connections, and more seldom the more are live."""

from __future__ import annotations

import asyncio
import gc

import pytest

from gateway.connection.end_reason import EndReason
from gateway.connection.ended_connections import EndedConnections, relax_collector
from gateway.connection.registry import ConnectionRegistry
from shared.ids import ConnectionId, SessionId
from shared.pools import DEFAULT_POOL


class Left:
    """A connection that ends by itself."""

    pool = DEFAULT_POOL
    wait_s = None

    def ask_to_end(self, reason: EndReason) -> None:
        return None


class Collector:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> None:
        self.runs += 1


@pytest.mark.parametrize(("live", "due"), [(0, 200), (20, 200), (1000, 10_000)])
async def test_a_collection_is_due_after_so_many_ended_connections(live: int, due: int) -> None:
    collector = Collector()
    ended = EndedConnections(collector)
    for _ in range(due - 1):
        ended.note(live)
    await asyncio.sleep(0)
    assert collector.runs == 0
    ended.note(live)
    assert collector.runs == 0, "not within the end of a connection"
    await asyncio.sleep(0)
    assert collector.runs == 1
    for _ in range(due - 1):
        ended.note(live)
    await asyncio.sleep(0)
    assert collector.runs == 1


def test_every_ended_connection_is_told_with_how_many_are_left() -> None:
    told: list[int] = []
    connections = ConnectionRegistry(2, told.append)
    with connections.place(SessionId("s")):
        pass  # refused: it was never live
    with connections.live(ConnectionId("c1"), Left()), connections.live(ConnectionId("c2"), Left()):
        pass
    assert told == [1, 0]


def test_what_is_loaded_is_left_out_and_young_collections_are_rare() -> None:
    before = gc.get_threshold()
    try:
        relax_collector()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
