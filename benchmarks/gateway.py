"""`rattil bench gateway`: what one gateway process carries, and what a connection costs in memory.

Real gateway, router and Redis; the worker runs the scripted engine, which takes no time, and the
audio is such that it hears a correct recitation. Reciters begin at the beginning of their passage, as
people do; one more run has them begin anywhere in it, which is the costliest case: the alignment has
lost them until it has heard enough. They send 4 frames a second on an absolute schedule from a process
of their own. CPU is the gateway's own, in percent of one core; memory is proportional set size (PSS),
connected but silent and while reciting.

`sessions_per_core` is how many reciters take 70 % of a core. The last level is what the one before it
predicts for 70 %; the figure comes from the CPU per reciter of the largest run without loss.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass

from rich.console import Console

from benchmarks.figures import percentile
from benchmarks.load.process import load
from benchmarks.load.run import LoadOrder
from benchmarks.machine import available_cores
from benchmarks.processes import Meter, Spent, usage
from benchmarks.report import Report, Table
from benchmarks.system import System, system

TARGET_PERCENT = 70.0
LEVELS = (100, 400, 800)
ANYWHERE = 400
MOST = 2000
IDLE_CONNECTIONS = 2000
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class GatewayRun:
    """One level. Memory per connection in kB, `messages_per_s` both ways."""

    sessions: int
    anywhere: bool
    spent: list[Spent]
    messages_per_s: float
    active_kb: float
    p50_ms: float
    p95_ms: float
    lost: int
    late_frames_p99_ms: float

    @property
    def gateway(self) -> Spent:
        return next(spent for spent in self.spent if spent.name == "gateway-1")

    @property
    def clean(self) -> bool:
        return self.lost == 0

    @property
    def percent_each(self) -> float:
        """Of one core, per reciter."""
        return self.gateway.cpu_percent / self.sessions

    @property
    def messages_per_core(self) -> float:
        """Messages a second, both ways, that a whole core would carry."""
        return 100 * self.messages_per_s / self.gateway.cpu_percent


def run_gateway(console: Console, *, quick: bool) -> Report:
    """Idle connections first, then levels of live reciters against the same gateway."""
    return asyncio.run(_run(console, quick))


async def _run(console: Console, quick: bool) -> Report:
    seconds = 8.0 if quick else 20.0
    levels = LEVELS[:2] if quick else LEVELS
    async with system(env={"ASR_ENGINE": "scripted"}) as running:
        # A first load, thrown away: imports, caches and connection pools belong to the process.
        await _level(running, 20, 4.0, console)
        idle_kb = await _idle(running, 500 if quick else IDLE_CONNECTIONS, console)
        runs = []
        for sessions in levels:
            runs.append(await _level(running, sessions, seconds, console))
        if not quick:
            aim = min(MOST, round(TARGET_PERCENT / runs[-1].percent_each))
            runs.append(await _level(running, aim, seconds, console))
        anywhere = await _level(running, ANYWHERE, seconds, console, anywhere=True)
    return _report(runs, anywhere, idle_kb, quick)


def _report(runs: list[GatewayRun], anywhere: GatewayRun, idle_kb: float, quick: bool) -> Report:
    best = max((run for run in runs if run.clean), key=lambda run: run.sessions, default=runs[0])
    at = f"{best.sessions} reciters, where the gateway took {best.gateway.cpu_percent:.0f} % of a core"
    return Report(
        name="gateway",
        headline={
            "sessions_per_core": round(TARGET_PERCENT / best.percent_each),
            "idle_kb": round(idle_kb, 1),
            "active_kb": round(best.active_kb, 1),
            "messages_per_s": round(best.messages_per_core),
            "largest_clean_run": best.sessions,
            "anywhere_per_core": round(TARGET_PERCENT / anywhere.percent_each),
        },
        tables=[_table([*runs, anywhere])],
        notes=[
            f"sessions_per_core is {TARGET_PERCENT:.0f} % of a core over the CPU per reciter of the run "
            f"with {at}; messages_per_s is for a whole core."
        ],
        figures={
            "runs": [asdict(run) for run in runs],
            "anywhere": asdict(anywhere),
            "idle_connections": 500 if quick else IDLE_CONNECTIONS,
            "idle_kb": idle_kb,
            "cpu_percent_per_session": best.percent_each,
            "cores": available_cores(),
        },
        model="scripted engine",
    )


async def _idle(running: System, connections: int, console: Console) -> float:
    """PSS per connection that is open and says nothing, kB."""
    console.print(f"{connections} idle connections …", style="dim")
    pid = running.pids["gateway-1"]
    before = usage(pid).pss_kb
    order = LoadOrder(
        running.urls, connections, 0.0, voice="scripted", hold_s=SETTLE_S + 1, connect_per_s=250
    )
    async with load(order) as clients:
        connected = await clients.reach("connected")
        await asyncio.sleep(SETTLE_S)
        after = usage(pid).pss_kb
        await clients.figures()
    await asyncio.sleep(SETTLE_S)
    return (after - before) / max(1, connected.accepted)


async def _level(
    running: System, sessions: int, seconds: float, console: Console, *, anywhere: bool = False
) -> GatewayRun:
    console.print(f"{sessions} live reciters{' beginning anywhere' * anywhere} …", style="dim")
    meter = Meter(running.pids)
    before_kb = usage(running.pids["gateway-1"]).pss_kb
    order = LoadOrder(running.urls, sessions, seconds, voice="scripted", connect_per_s=150, anywhere=anywhere)
    async with load(order) as clients:
        await clients.reach("streaming")
        meter.start()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await clients.reach("stop")
        measured_s = loop.time() - began_s
        spent = meter.spent(measured_s)
        active_kb = usage(running.pids["gateway-1"]).pss_kb - before_kb
        figures = await clients.figures()
    await asyncio.sleep(SETTLE_S)
    latencies = figures.latencies_ms()
    frames_per_s = sessions * 1000 / order.frame_ms
    return GatewayRun(
        sessions=figures.accepted,
        anywhere=anywhere,
        spent=spent,
        messages_per_s=round(frames_per_s + figures.events / seconds),
        active_kb=active_kb / max(1, figures.accepted),
        p50_ms=percentile(latencies, 0.5),
        p95_ms=percentile(latencies, 0.95),
        lost=figures.lost + sessions - figures.accepted,
        late_frames_p99_ms=figures.late_frames_p99_ms,
    )


def _table(runs: list[GatewayRun]) -> Table:
    rows = []
    for run in runs:
        others = {spent.name: spent.cpu_percent for spent in run.spent}
        rows.append(
            [
                f"{run.sessions}{', anywhere' * run.anywhere}",
                f"{run.gateway.cpu_percent:.0f} %",
                f"{10 * run.percent_each:.2f}",
                f"{run.messages_per_s:.0f}",
                f"{run.active_kb:.0f}",
                f"{run.p50_ms:.1f}",
                f"{run.p95_ms:.1f}",
                str(run.lost),
                f"{others['worker-1']:.0f} %",
                f"{others['redis-1']:.0f} %",
                f"{run.late_frames_p99_ms:.1f}",
            ]
        )
    return Table(
        "one gateway process, live reciters at 4 frames/s, scripted engine",
        (
            "reciters",
            "gateway",
            "ms CPU/s each",
            "messages/s",
            "kB each",
            "p50 ms",
            "p95 ms",
            "lost",
            "worker",
            "Redis",
            "client late p99 ms",
        ),
        rows,
        "CPU in % of one core; latency from the last sample of a segment sent to its result received; "
        "anywhere: reciters begin anywhere in the passage, and the alignment has to find them",
    )
