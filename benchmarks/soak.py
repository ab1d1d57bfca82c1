"""`rattil bench soak`: does memory grow? Reciters come and go for ten minutes, every second is sampled.

Each wave is a set of new sessions that recite and leave. What is sampled is anonymous memory: what a
process allocated itself, not the libraries it shares with others. The slope is a least-squares line
through the second half of the run, when caches and pools have filled; `slope` is that of all services
together, kB a minute, and `per_session` what that is for each session of a minute, kB. Whole waves are
taken, so that the line does not begin where all recite and end where nobody does. Redis keeps sessions
for their time to live, here half a minute, so that it has reached its level by then.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from asr_worker.engines.model_files import read_card
from benchmarks.figures import slope
from benchmarks.load.process import load
from benchmarks.load.results import LoadFigures
from benchmarks.load.run import LoadOrder
from benchmarks.machine import available_cores
from benchmarks.processes import usage
from benchmarks.report import Report, Table
from benchmarks.system import System, system

SESSION_TTL_S = "30"
SAMPLE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """How long (minutes), how many reciters at a time, and how long each of them recites (s)."""

    minutes: float = 10.0
    sessions: int = 32
    wave_s: float = 20.0


QUICK = SoakPlan(2.0, 16, 6.0)
"""More sessions a minute: what each of them leaves behind shows sooner."""


@dataclass(slots=True)
class MemoryTrace:
    """Anonymous memory of every process over time: (seconds, kB). `wave_ends`: when all had left, s."""

    points: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    wave_ends: list[float] = field(default_factory=list)

    def add(self, name: str, at_s: float, anon_kb: int) -> None:
        self.points.setdefault(name, []).append((at_s, float(anon_kb)))

    def second_half(self, name: str) -> list[tuple[float, float]]:
        """The waves that began after half of the time, whole ones only; without waves all after it."""
        points = self.points[name]
        half_s = (points[0][0] + points[-1][0]) / 2
        ends = [end_s for end_s in self.wave_ends if end_s >= half_s]
        first_s, last_s = (ends[0], ends[-1]) if len(ends) > 1 else (half_s, points[-1][0])
        return [point for point in points if first_s <= point[0] <= last_s]

    def slope_kb_per_min(self, name: str) -> float:
        """Of the second half of the trace."""
        return 60 * slope(self.second_half(name))


def run_soak(model: Path, console: Console, *, quick: bool) -> Report:
    """Ten minutes; two with `quick`, with shorter sessions."""
    plan = QUICK if quick else SoakPlan()
    trace, waves = asyncio.run(_measure(model, console, plan))
    names = list(trace.points)
    slopes = {name: trace.slope_kb_per_min(name) for name in names}
    services = [name for name in names if not name.startswith("redis")]
    total = sum(slopes[name] for name in services)
    sessions = sum(wave.accepted for wave in waves)
    minutes = max(points[-1][0] for points in trace.points.values()) / 60
    card = read_card(model)
    return Report(
        name="soak",
        headline={
            "slope": round(total, 1),
            "per_session": round(total * minutes / max(1, sessions), 2),
            "slope_redis": round(sum(slopes[name] for name in names if name not in services), 1),
            "minutes": round(minutes, 1),
            "sessions": sessions,
            "lost": sum(wave.lost for wave in waves),
        },
        tables=[_table(trace, slopes, plan)],
        figures={"anon_kb": trace.points, "slopes_kb_per_min": slopes, "cores": available_cores()},
        model=f"{card.name} {card.version}".strip(),
    )


async def _measure(model: Path, console: Console, plan: SoakPlan) -> tuple[MemoryTrace, list[LoadFigures]]:
    trace = MemoryTrace()
    waves: list[LoadFigures] = []
    env = {"ASR_MODEL": str(model), "SESSION_TTL_S": SESSION_TTL_S}
    async with system(env=env) as running:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        sampling = asyncio.create_task(_sample(running, trace, began_s), name="memory-samples")
        while loop.time() < began_s + 60 * plan.minutes:
            order = LoadOrder(running.urls, plan.sessions, plan.wave_s, seed=len(waves))
            async with load(order) as clients:
                waves.append(await clients.figures())
            trace.wave_ends.append(loop.time() - began_s)
            console.print(f"wave {len(waves)}: lost {waves[-1].lost}", style="dim")
        sampling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampling
    return trace, waves


async def _sample(running: System, trace: MemoryTrace, began_s: float) -> None:
    loop = asyncio.get_running_loop()
    while True:
        for name, pid in running.pids.items():
            trace.add(name, loop.time() - began_s, usage(pid).anon_kb)
        await asyncio.sleep(SAMPLE_EVERY_S)


def _table(trace: MemoryTrace, slopes: dict[str, float], plan: SoakPlan) -> Table:
    rows = []
    for name, points in trace.points.items():
        middle = points[len(points) // 2][1]
        rows.append(
            [
                name,
                f"{points[0][1] / 1024:.1f}",
                f"{middle / 1024:.1f}",
                f"{points[-1][1] / 1024:.1f}",
                f"{max(kb for _, kb in points) / 1024:.1f}",
                f"{slopes[name]:+.1f}",
            ]
        )
    return Table(
        f"memory with {plan.sessions} reciters coming and going every {plan.wave_s:g} s",
        ("process", "start MB", "half time MB", "end MB", "peak MB", "slope kB/min"),
        rows,
        "anonymous memory; slope: least squares over the second half",
    )
