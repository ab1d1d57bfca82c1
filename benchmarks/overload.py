"""`rattil bench overload`: twice as many reciters as the workers say they can take, for a minute.

First the offered capacity alone (the baseline), then the same number while as many again knock at
the door every few seconds, then the capacity again, at once. What must hold: accepted reciters keep
their p95 (`p95_ratio` about 1), and everything that is not served is said so (`unreported` 0): each
refused session got an error with a retry time, each segment a result or an error. The capacity is
the workers' own (ASR_MAX_SESSIONS, or what they measure), unless `--sessions` sets it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from asr_worker.engines.model_files import read_card
from benchmarks.figures import percentile
from benchmarks.load.process import load
from benchmarks.load.results import LoadFigures
from benchmarks.load.run import LoadOrder
from benchmarks.machine import available_cores
from benchmarks.report import Report, Table
from benchmarks.system import System, system

KNOCK_EVERY_S = 5.0
REST_S = 1.0


@dataclass(frozen=True, slots=True)
class OverloadRun:
    """One stretch: what the accepted ones saw, and what became of those who knocked in vain."""

    name: str
    accepted: LoadFigures
    crowd: list[LoadFigures]

    @property
    def p95_ms(self) -> float:
        return percentile(self.accepted.latencies_ms(), 0.95)

    @property
    def turned_away(self) -> int:
        return sum(figures.sessions - figures.accepted for figures in self.crowd)

    @property
    def unreported(self) -> int:
        """Sessions that were neither served nor refused in words, segments without any answer."""
        silent = sum(figures.unreported for figures in (self.accepted, *self.crowd))
        return silent + self.accepted.lost + self.accepted.duplicates + self.accepted.disordered


def run_overload(model: Path, console: Console, *, quick: bool, sessions: int) -> Report:
    """Baseline, overload, recovery."""
    runs = asyncio.run(_measure(model, console, 10.0 if quick else 60.0, sessions))
    baseline, overload, recovery = runs
    card = read_card(model)
    return Report(
        name="overload",
        headline={
            "p95_ratio": round(overload.p95_ms / baseline.p95_ms, 3),
            "unreported": sum(run.unreported for run in runs),
            "recovery_ratio": round(recovery.p95_ms / baseline.p95_ms, 3),
            "capacity": baseline.accepted.accepted,
            "turned_away": overload.turned_away,
        },
        tables=[_table(runs)],
        figures={"runs": [_plain(run) for run in runs], "cores": available_cores()},
        model=f"{card.name} {card.version}".strip(),
    )


async def _measure(model: Path, console: Console, seconds: float, sessions: int) -> list[OverloadRun]:
    env = {"ASR_MODEL": str(model), "ASR_MAX_SESSIONS": str(sessions)}
    async with system(env=env) as running:
        capacity = sessions or await _offered(running)
        console.print(f"the workers offer {capacity} sessions", style="dim")
        await _stretch(running, "warm-up", min(8, capacity), 4.0, 0)
        baseline = await _stretch(running, "capacity", capacity, min(seconds, 20.0), 0)
        overload = await _stretch(running, "2x capacity", capacity, seconds, capacity)
        recovery = await _stretch(running, "right after", capacity, min(seconds, 10.0), 0)
    return [baseline, overload, recovery]


async def _offered(running: System) -> int:
    """Free slots of the default pool, as the router counts them."""
    async with httpx.AsyncClient(timeout=5) as client:
        answer = await client.get(f"http://127.0.0.1:{running.plan.ports.routers[0]}/v1/capacity")
        pools = answer.raise_for_status().json()["pools"]
    return int(sum(pool["capacity"] for pool in pools))


async def _stretch(running: System, name: str, sessions: int, seconds: float, crowd: int) -> OverloadRun:
    knocked: list[LoadFigures] = []
    async with load(LoadOrder(running.urls, sessions, seconds)) as clients:
        await clients.reach("streaming")
        knocking = asyncio.create_task(_knock(running, crowd, knocked), name="crowd")
        await clients.reach("stop")
        knocking.cancel()
        await asyncio.gather(knocking, return_exceptions=True)
        figures = await clients.figures()
    await asyncio.sleep(REST_S)
    return OverloadRun(name, figures, knocked)


async def _knock(running: System, crowd: int, knocked: list[LoadFigures]) -> None:
    """Wave after wave of connections that there is no room for."""
    seed = 100
    while crowd:
        began_s = asyncio.get_running_loop().time()
        order = LoadOrder(running.urls, crowd, 0.0, connect_per_s=crowd / KNOCK_EVERY_S, seed=seed)
        async with load(order) as clients:
            knocked.append(await clients.figures())
        seed += 1
        await asyncio.sleep(max(0.0, began_s + KNOCK_EVERY_S - asyncio.get_running_loop().time()))


def _table(runs: list[OverloadRun]) -> Table:
    rows = []
    for run in runs:
        latencies = run.accepted.latencies_ms()
        reasons = sum((Counter(figures.refused) for figures in run.crowd), Counter(run.accepted.refused))
        rows.append(
            [
                run.name,
                str(run.accepted.accepted),
                f"{percentile(latencies, 0.5):.0f}",
                f"{run.p95_ms:.0f}",
                f"{percentile(latencies, 0.99):.0f}",
                str(run.accepted.lost),
                str(sum(run.accepted.failed.values())),
                str(run.turned_away),
                ", ".join(f"{reason} x{count}" for reason, count in reasons.most_common(2)) or "-",
                str(run.unreported),
            ]
        )
    return Table(
        "accepted reciters while others knock",
        ("", "reciters", "p50 ms", "p95 ms", "p99 ms", "lost", "failed", "turned away", "why", "unreported"),
        rows,
        "latency from the last sample of a segment sent to its result received",
    )


def _plain(run: OverloadRun) -> dict[str, object]:
    return {
        "name": run.name,
        "accepted": run.accepted.accepted,
        "p95_ms": run.p95_ms,
        "lost": run.accepted.lost,
        "failed": run.accepted.failed,
        "troubles": run.accepted.troubles,
        "turned_away": run.turned_away,
        "unreported": run.unreported,
    }
