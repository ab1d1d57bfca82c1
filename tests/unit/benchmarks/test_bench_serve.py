"""The search for the largest load, the split of a latency, and the peers' marks."""

from __future__ import annotations

import pytest

from benchmarks.load.results import LoadFigures, SegmentLatency
from benchmarks.peers.streams import PeerSession
from benchmarks.processes import usage
from benchmarks.serve.levels import Level, search
from benchmarks.serve.stages import Stages, summary
from benchmarks.soak import MemoryTrace
from shared.ids import ConnectionId, Epoch, SessionId, TraceId
from shared.protocol.segments import SegmentResult, StageTimings

STAGES = Stages(0, 0, 0, 0, 0, 0)
NOTHING = LoadFigures(0, 0, {}, {}, {}, 0, 0, 0, 0, {}, 0, 0, 0.0, [], [])


def level(sessions: int, p95_ms: float, lost: int = 0) -> Level:
    return Level(sessions, p95_ms, p95_ms, p95_ms, 1, lost, 0, 0.0, STAGES, [], NOTHING)


async def test_the_search_doubles_then_narrows() -> None:
    async def run(sessions: int) -> Level:
        return level(sessions, 100.0 if sessions <= 90 else 900.0)

    levels, best = await search(run, 16, 1024, refine=2)
    assert [one.sessions for one in levels] == [16, 32, 64, 128, 96, 80]
    assert best == 80


async def test_a_run_that_loses_anything_is_not_served() -> None:
    async def run(sessions: int) -> Level:
        return level(sessions, 10.0, lost=int(sessions > 16))

    assert (await search(run, 16, 1024, refine=0))[1] == 16


async def test_the_search_ends_at_its_bound_and_may_find_nothing() -> None:
    async def fast(sessions: int) -> Level:
        return level(sessions, 1.0)

    async def slow(sessions: int) -> Level:
        return level(sessions, 9999.0)

    assert (await search(fast, 16, 40, refine=1))[1] == 40
    assert (await search(slow, 16, 40, refine=1))[1] == 0


def result(seq: int, batch_ms: int, inference_ms: int) -> SegmentResult:
    return SegmentResult(
        SessionId("s"),
        ConnectionId("c"),
        Epoch("e"),
        seq,
        0,
        40_000,
        TraceId("t"),
        "result",
        timings=StageTimings(3, batch_ms, inference_ms),
        batch_size=4,
    )


def test_overhead_is_what_the_engine_and_waiting_for_it_leave_over() -> None:
    seen = [SegmentLatency(0, 0, 0.0, 60.0, 40), SegmentLatency(0, 1, 0.0, 80.0, 50)]
    stages = summary(seen, [{0: result(0, 5, 40), 1: result(1, 10, 50)}])
    assert stages.overhead_p95_ms == pytest.approx(20)
    assert stages.overhead_p50_ms == pytest.approx(15)
    assert stages.queued_p95_ms == 3
    assert stages.batch_mean == 4


def test_a_peers_mark_is_answered_once_and_only_when_heard() -> None:
    session = PeerSession(sent_s={2.5: 10.0, 4.5: 12.0})
    session.covered(2.3, 10.4)
    session.covered(3.0, 11.0)
    assert session.latencies_ms() == pytest.approx([400])
    assert session.missed == 1


def test_memory_slope_is_of_the_second_half() -> None:
    trace = MemoryTrace()
    for second in range(120):
        trace.add("gateway-1", float(second), 1000 + 10 * min(second, 60))
    assert trace.slope_kb_per_min("gateway-1") == pytest.approx(0, abs=1)


def test_memory_slope_is_of_whole_waves() -> None:
    """Memory that follows the reciters is no growth, wherever the samples happen to end."""
    trace = MemoryTrace()
    for second in range(115):
        trace.add("gateway-1", float(second), 5000 if second % 20 < 10 else 1000)
    trace.wave_ends = [20.0, 40.0, 60.0, 80.0, 100.0]
    first, last = trace.second_half("gateway-1")[0][0], trace.second_half("gateway-1")[-1][0]
    assert (first, last) == (60.0, 100.0)


def test_a_process_that_is_gone_is_named() -> None:
    with pytest.raises(ProcessLookupError):
        usage(2**22 + 1)
