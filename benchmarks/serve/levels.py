"""Runs of N live reciters against one running system, and the search for the largest N that is served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.figures import percentile
from benchmarks.load.process import load
from benchmarks.load.results import LoadFigures
from benchmarks.load.run import LoadOrder
from benchmarks.processes import Meter, Spent
from benchmarks.serve.stages import Stages, stages_of
from benchmarks.system import System

TARGET_MS = 500.0
"""p95 from the last sample of a segment sent to its result received, up to which a run counts as served."""
REST_S = 2.0
"""Between runs: what the last one left behind is worked off."""


@dataclass(frozen=True, slots=True)
class Level:
    """One run of N reciters. Latencies in ms, CPU in percent of one core."""

    sessions: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    segments: int
    lost: int
    failed: int
    late_frames_p99_ms: float
    stages: Stages
    spent: list[Spent]
    figures: LoadFigures

    @property
    def served(self) -> bool:
        """Within the target, nothing lost, nobody refused."""
        return self.p95_ms <= TARGET_MS and not self.lost and not self.failed


async def run_level(running: System, sessions: int, seconds: float, seed: int = 1) -> Level:
    """N reciters of real speech for so long."""
    order = LoadOrder(running.urls, sessions, seconds, connect_per_s=80, seed=seed)
    meter = Meter(running.pids)
    async with load(order) as clients:
        await clients.reach("streaming")
        meter.start()
        began_s = asyncio.get_running_loop().time()
        await clients.reach("stop")
        spent = meter.spent(asyncio.get_running_loop().time() - began_s)
        figures = await clients.figures()
    stages = await stages_of(running.redis_url, figures)
    await asyncio.sleep(REST_S)
    latencies = figures.latencies_ms()
    return Level(
        sessions=sessions,
        p50_ms=percentile(latencies, 0.5),
        p95_ms=percentile(latencies, 0.95),
        p99_ms=percentile(latencies, 0.99),
        segments=len(latencies),
        lost=figures.lost + figures.duplicates + figures.disordered,
        failed=sum(figures.failed.values()) + sessions - figures.accepted,
        late_frames_p99_ms=figures.late_frames_p99_ms,
        stages=stages,
        spent=spent,
        figures=figures,
    )


async def search(
    run: Callable[[int], Awaitable[Level]], first: int, most: int, *, refine: int
) -> tuple[list[Level], int]:
    """Double N until a run is not served, then halve the gap `refine` times.

    Returns all runs and the largest N served, 0 if none was.
    """
    levels = [await run(first)]
    while levels[-1].served and levels[-1].sessions < most:
        levels.append(await run(min(most, 2 * levels[-1].sessions)))
    best = max((level.sessions for level in levels if level.served), default=0)
    worst = min((level.sessions for level in levels if not level.served), default=0)
    for _ in range(refine if best and worst else 0):
        level = await run((best + worst) // 2)
        levels.append(level)
        best, worst = (level.sessions, worst) if level.served else (best, level.sessions)
    return levels, best
