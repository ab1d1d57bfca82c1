"""What `rattil bench overload` makes of its figures, and its crowd against a door that opens and closes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.load.crowd import CrowdFigures, CrowdOrder
from benchmarks.load.process import crowd
from benchmarks.load.results import LoadFigures, SegmentLatency
from benchmarks.overload_figures import Overload, Stretch, recovery_s
from benchmarks.processes import Spent


def _second(second: int, latency_ms: float) -> list[SegmentLatency]:
    return [SegmentLatency(0, n, 100 + second + n / 20, latency_ms, 5) for n in range(20)]


@pytest.mark.parametrize(
    ("latencies", "expected"),
    [([90], 0), ([300, 90], 1), ([300, 300, 100, 400], 2), ([300, 300], math.inf), ([], math.inf)],
)
def test_recovery_is_counted_in_bad_seconds(latencies: list[float], expected: float) -> None:
    segments = [segment for second, ms in enumerate(latencies) for segment in _second(second, ms)]
    assert recovery_s(segments, 100.0, 5.0, 120.0) == expected


def test_a_second_without_segments_is_no_recovery() -> None:
    assert recovery_s(_second(2, 50), 100.0, 5.0, 120.0) == 2


def _figures(lost: int = 0, unreported: int = 0) -> LoadFigures:
    return LoadFigures(5, 5, {}, {}, {}, 50, lost, 0, 0, {}, unreported, 0, 0.0, [], [])


def test_everything_that_was_not_said_counts() -> None:
    stretch = Stretch("", 1.0, [100.0])
    outside = CrowdFigures(9, 30, {"no_capacity": 27}, 2, _figures(lost=3))
    run = Overload((5, 5), stretch, (stretch, stretch, stretch), 0.0, _figures(unreported=1), outside)
    assert run.unreported == 6
    assert run.p95_ratio == 1.0
    assert outside.turned_away == 27
    assert run.call_cpu_ms == 0


def test_what_a_call_costs_is_the_difference_the_crowd_makes() -> None:
    stretch = Stretch("", 10.0, [100.0])
    outside = CrowdFigures(9, 50, {"no_capacity": 50}, 0, _figures())
    spent = [
        (Spent("gateway-1", 20.0, 0, 0), Spent("gateway-1", 21.0, 0, 0)),
        (Spent("router-1", 1.0, 0, 0), Spent("router-1", 1.5, 0, 0)),
        (Spent("worker-1", 80.0, 0, 0), Spent("worker-1", 99.0, 0, 0)),
    ]
    run = Overload((5, 5), stretch, (stretch, stretch, stretch), 0.0, _figures(), outside, spent)
    assert run.call_cpu_ms == pytest.approx(3.0)  # 1.5 % of ten seconds over 50 calls


# -- the crowd ---------------------------------------------------------------------------------------
READY = '{"type":"ready","session_id":"session-1","window_seconds":2.5}'
FULL = '{"type":"error","code":"no_capacity","message":"full","retry_after_s":5}'


@asynccontextmanager
async def _door(room: int) -> AsyncIterator[str]:
    """Lets the first `room` in and answers nothing they say; the others get the words and the code."""
    inside = 0

    async def answer(socket: ServerConnection) -> None:
        nonlocal inside
        if inside >= room:
            await socket.send(FULL)
            await socket.close(4013, "no capacity: retry later")
            return
        inside += 1
        await socket.send(READY)
        await socket.wait_closed()

    async with serve(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_crowd_knocks_until_it_is_let_in_and_counts_what_it_is_told() -> None:
    async with _door(room=1) as url, crowd(CrowdOrder((url,), 3, 0.7, every_s=0.3)) as callers:
        callers.go()
        async with asyncio.timeout(30):
            found = await callers.figures()
    assert (found.callers, found.admitted.accepted, found.unanswered) == (3, 1, 0)
    assert found.turned_away == found.calls - 1 >= 3
    assert list(found.refused) == ["no_capacity, 4013 no capacity: retry later"]
    assert found.admitted.lost == 0  # nothing was long enough for a window
