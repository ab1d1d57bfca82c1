"""`rattil bench soak`: does memory grow? Reciters come and go for ten minutes, every second is sampled.

Each wave is a set of new sessions that recite and leave. What is sampled is anonymous memory: what a
process allocated itself, not the libraries it shares with others. The slope is a least-squares line
through the second half of the run, when caches and pools have filled; `slope` is that of all services
together, kB a minute. Redis keeps sessions for their time to live, here half a minute, so that it
has reached its level by then.
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

SESSIONS = 32
WAVE_S = 20.0
SESSION_TTL_S = "30"
SAMPLE_EVERY_S = 1.0


@dataclass(slots=True)
class MemoryTrace:
    """Anonymous memory of every process over time: (seconds, kB)."""

    points: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, name: str, at_s: float, anon_kb: int) -> None:
        self.points.setdefault(name, []).append((at_s, float(anon_kb)))

    def slope_kb_per_min(self, name: str) -> float:
        """Of the second half of the trace."""
        points = self.points[name]
        return 60 * slope(points[len(points) // 2 :])


def run_soak(model: Path, console: Console, *, quick: bool) -> Report:
    """Ten minutes; one with `quick`, which only shows that it runs."""
    minutes = 1.0 if quick else 10.0
    trace, waves = asyncio.run(_measure(model, console, minutes))
    names = list(trace.points)
    slopes = {name: trace.slope_kb_per_min(name) for name in names}
    services = [name for name in names if not name.startswith("redis")]
    card = read_card(model)
    return Report(
        name="soak",
        headline={
            "slope": round(sum(slopes[name] for name in services), 1),
            "slope_redis": round(sum(slopes[name] for name in names if name not in services), 1),
            "minutes": minutes,
            "sessions": sum(wave.accepted for wave in waves),
            "lost": sum(wave.lost for wave in waves),
        },
        tables=[_table(trace, slopes)],
        figures={"anon_kb": trace.points, "slopes_kb_per_min": slopes, "cores": available_cores()},
        model=f"{card.name} {card.version}".strip(),
    )


async def _measure(model: Path, console: Console, minutes: float) -> tuple[MemoryTrace, list[LoadFigures]]:
    trace = MemoryTrace()
    waves: list[LoadFigures] = []
    env = {"ASR_MODEL": str(model), "SESSION_TTL_S": SESSION_TTL_S}
    async with system(env=env) as running:
        sampling = asyncio.create_task(_sample(running, trace), name="memory-samples")
        loop = asyncio.get_running_loop()
        end_s = loop.time() + 60 * minutes
        while loop.time() < end_s:
            order = LoadOrder(running.urls, SESSIONS, WAVE_S, seed=len(waves))
            async with load(order) as clients:
                waves.append(await clients.figures())
            console.print(f"wave {len(waves)}: lost {waves[-1].lost}", style="dim")
        sampling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampling
    return trace, waves


async def _sample(running: System, trace: MemoryTrace) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while True:
        for name, pid in running.pids.items():
            trace.add(name, loop.time() - began_s, usage(pid).anon_kb)
        await asyncio.sleep(SAMPLE_EVERY_S)


def _table(trace: MemoryTrace, slopes: dict[str, float]) -> Table:
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
        f"memory with {SESSIONS} reciters coming and going",
        ("process", "start MB", "half time MB", "end MB", "peak MB", "slope kB/min"),
        rows,
        "anonymous memory; slope: least squares over the second half",
    )
