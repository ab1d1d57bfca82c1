"""`rattil bench scaling`: an autoscaler in the loop, as KEDA and Kubernetes would be, without a cluster.

The chart is rendered; the ScaledObject of its pool says what is asked, how often, and how fast workers may
come and go. A controller that follows it (`controller.py`) starts and stops real workers while reciters of
real speech come one after the other, recite, and leave again. Before them the pool sleeps: the first who
comes is told to come back, which wakes it; when the last has left it goes to sleep, and one more wakes it
again. What must hold: nobody loses a segment, gets one twice or goes without a final report, and no worker
ends unasked.

All waits of the chart are divided by `--hurry`, so that minutes become seconds; how long a worker takes to
start is not. Workers are given fewer slots than they hold (`--slots`), so that a few dozen sessions need
several of them: this measures the loop, not a worker.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from asr_worker.engines.model_files import read_card
from benchmarks.figures import percentile
from benchmarks.load.crowd import CrowdFigures, CrowdOrder
from benchmarks.load.process import crowd
from benchmarks.machine import available_cores
from benchmarks.prometheus import prometheus
from benchmarks.report import Report, Table
from benchmarks.scaling.controller import Controller
from benchmarks.scaling.metric import FromPrometheus, FromRouters, MetricSource
from benchmarks.scaling.scaled_object import ScaledObject, read_scaled_object, rendered
from benchmarks.scaling.timeline import Moment, steps, watch
from benchmarks.scaling.workers import Workers, autoscaled
from benchmarks.system import System, system

NAMESPACE = "rattil"
AGAIN_S = 5.0
"""A caller who is told to come back does so after the router's ROUTER_RETRY_AFTER_S."""
LAST_S = 60.0
"""So long the last one stays, from the first call on: a worker has to start meanwhile."""
SLEEP_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Tide:
    """How many come and go; seconds over which they come, all are there, and they leave."""

    sessions: int
    rise_s: float
    high_s: float
    fall_s: float

    @property
    def seconds(self) -> float:
        return self.rise_s + self.high_s + self.fall_s


@dataclass(frozen=True, slots=True)
class ScalingRun:
    """Everything that was seen: the tide, the one who came last, and the pool over time."""

    rules: ScaledObject
    source: str
    tide: CrowdFigures
    last: CrowdFigures
    moments: list[Moment]
    faults: list[str]

    @property
    def crowds(self) -> tuple[CrowdFigures, CrowdFigures]:
        return self.tide, self.last

    @property
    def lost(self) -> int:
        """Segments without an answer, answered twice, out of order or with an error; sessions cut off."""
        return sum(
            seen.lost + seen.duplicates + seen.disordered + seen.unreported + sum(seen.failed.values())
            for seen in (figures.admitted for figures in self.crowds)
        )


def run_scaling(
    model: Path, console: Console, *, quick: bool, sessions: int, slots: int, hurry: float, most: int
) -> Report:
    """Raises `ImportError` where the chart cannot be rendered (the extra `dev` is not installed)."""
    tide = Tide(sessions, 20.0, 10.0, 20.0) if quick else Tide(sessions, 60.0, 30.0, 60.0)
    values = {"poolDefaults": {"autoscaling": {"type": "keda", "minReplicas": 0, "maxReplicas": most}}}
    rules = read_scaled_object(rendered(values, NAMESPACE), hurry)
    run = asyncio.run(measure(rules, tide, console, {"ASR_MODEL": str(model)}, slots))
    card = read_card(model)
    return Report(
        name="scaling",
        headline={
            "sessions": run.tide.admitted.accepted,
            "most_workers": max(moment.there for moment in run.moments),
            "lost": run.lost,
            "reports": run.tide.reports + run.last.reports,
            "worker_faults": len(run.faults),
            "longest_waited_s": _longest_waited_s(run.tide),
            "again_waited_s": _longest_waited_s(run.last),
            "hurry": hurry,
        },
        tables=[_steps_table(run), _sessions_table(run, tide)],
        figures={
            "moments": msgspec.to_builtins(run.moments),
            "query": rules.query,
            "source": run.source,
            "slots": slots,
            "faults": run.faults,
            "waited_s": [figures.waited_s for figures in run.crowds],
            "refused": [figures.refused for figures in run.crowds],
            "failed": [figures.admitted.failed for figures in run.crowds],
            "closed": [figures.admitted.closed for figures in run.crowds],
            "cores": available_cores(),
        },
        model=f"{card.name} {card.version}".strip(),
        notes=[
            f"asked of {run.source}: {rules.query}",
            f"the chart's waits divided by {hurry:g}: polled every {rules.polling_s:g} s, in after "
            f"{rules.calm_s:g} s and by one worker or a quarter every {rules.scale_in[0].period_s:g} s, to "
            f"zero after {rules.cooldown_s:g} s; {slots} sessions a worker (--slots)",
        ],
    )


async def measure(
    rules: ScaledObject, tide: Tide, console: Console, env: dict[str, str], slots: int
) -> ScalingRun:
    """From a pool asleep to a tide of reciters, to sleep, and awake once more."""
    env = env | {
        "ASR_MAX_SESSIONS": str(slots),
        "ASR_THREADS": "1",
        "ROUTER_SCALE_MIN_REPLICAS": str(rules.least),
        "ROUTER_RETRY_AFTER_S": str(AGAIN_S),
    }
    async with system(env=env) as running, metric_of(running, rules.query) as (metric, source):
        workers = Workers(running.stack)
        capacity_url = f"http://127.0.0.1:{running.plan.ports.routers[0]}/v1/capacity"
        async with (
            watch(capacity_url, lambda: workers.there) as moments,
            autoscaled(workers, Controller(rules), metric, rules.polling_s),
        ):
            console.print("nobody is there: the pool goes to sleep …", style="dim")
            await asleep(workers)
            came = len(moments)
            console.print(f"0 → {tide.sessions} → 0 sessions in {tide.seconds:g} s …", style="dim")
            figures = await recite(running, tide)
            console.print("everybody has left: the pool goes to sleep …", style="dim")
            await asleep(workers)
            console.print("one more …", style="dim")
            last = await recite(running, Tide(1, 0.0, LAST_S, 0.0))
        return ScalingRun(rules, source, figures, last, moments[max(0, came - 10) :], workers.faults)


@asynccontextmanager
async def metric_of(running: System, query: str) -> AsyncIterator[tuple[MetricSource, str]]:
    """A Prometheus that scrapes the routers, or the routers' pages where none is installed; and its name."""
    ports = running.plan.ports.routers
    program = shutil.which("prometheus")
    if program is None:
        pages = [f"http://127.0.0.1:{port}/metrics" for port in ports]
        yield FromRouters(pages, query, {"namespace": NAMESPACE}), "the routers' /metrics"
        return
    targets = {f"router-{number}": f"127.0.0.1:{port}" for number, port in enumerate(ports, 1)}
    with tempfile.TemporaryDirectory() as folder:
        async with prometheus(program, targets, Path(folder), namespace=NAMESPACE) as watching:
            yield FromPrometheus(watching, query), "a Prometheus that scrapes every second"


async def asleep(workers: Workers) -> None:
    """Wait until no worker is there."""
    async with asyncio.timeout(SLEEP_WITHIN_S):
        while workers.there:  # noqa: ASYNC110 (the autoscaler's task changes it)
            await asyncio.sleep(0.1)
    await workers.gone()


async def recite(running: System, tide: Tide) -> CrowdFigures:
    """A tide of reciters of real speech, to their final reports."""
    order = CrowdOrder(
        running.urls,
        tide.sessions,
        tide.seconds,
        every_s=AGAIN_S,
        arrive_s=tide.rise_s,
        leave_s=tide.fall_s or 1.0,
    )
    async with crowd(order) as callers:
        callers.go()
        return await callers.figures()


def _longest_waited_s(figures: CrowdFigures) -> float:
    """From the first call to being let in, of who waited longest, seconds; NaN if nobody was let in."""
    return round(max(figures.waited_s), 1) if figures.waited_s else math.nan


def _steps_table(run: ScalingRun) -> Table:
    began_s = run.moments[0].at_s
    rows = [
        [f"{now.at_s - began_s:.0f}", str(now.sessions), str(now.wanted), str(now.there), str(now.ready)]
        for now in steps(run.moments)
    ]
    return Table(
        "whenever another number of workers was asked for",
        ("after s", "sessions", "wanted", "workers", "ready"),
        rows,
        "wanted: rattil_router_pool_desired_replicas; workers: asked for by the autoscaler",
    )


def _sessions_table(run: ScalingRun, tide: Tide) -> Table:
    rows = []
    for name, figures in ((f"0 → {tide.sessions} → 0", run.tide), ("one more", run.last)):
        seen = figures.admitted
        latencies = seen.latencies_ms()
        rows.append(
            [
                name,
                str(seen.accepted),
                str(figures.turned_away),
                f"{_longest_waited_s(figures):g}",
                str(seen.due),
                str(seen.lost),
                f"{seen.duplicates} / {seen.disordered}",
                str(sum(seen.failed.values())),
                str(figures.reports),
                f"{percentile(latencies, 0.5):.0f}",
                f"{percentile(latencies, 0.95):.0f}",
            ]
        )
    return Table(
        "what the reciters saw",
        (
            "",
            "sessions",
            "told to come back",
            "longest waited s",
            "segments",
            "lost",
            "twice / disordered",
            "failed",
            "reports",
            "p50 ms",
            "p95 ms",
        ),
        rows,
        "told to come back: calls answered with no_worker or no_capacity and when to try again",
    )
