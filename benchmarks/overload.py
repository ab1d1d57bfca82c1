"""`rattil bench overload`: twice as many reciters as the workers can hold, for a minute.

First a crowd larger than the first guess finds out what the workers hold at their latency target: who
is let in recites, the offer grows or shrinks with what is measured. That offer is then held, and so many
reciters stream without a break: alone (the baseline), then while as many again knock at the door every
few seconds (twice the capacity), then alone again. What must hold: p95 stays (`p95_ratio` about
1), it is back within a fifth soon after the crowd has left (`recovery_s`), and everything that is not
served is said so (`unreported` 0): each refused call got an error with a retry time, each segment a result
or an error.

The load generator shares the machine: `--most` caps the reciters where it would be what is measured.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from asr_worker.engines.model_files import read_card
from benchmarks.load.crowd import CrowdOrder
from benchmarks.load.process import crowd, load
from benchmarks.load.run import LoadOrder
from benchmarks.machine import available_cores
from benchmarks.overload_figures import (
    ALLOWED,
    KNOCK_EVERY_S,
    Overload,
    Stretch,
    cpu_table,
    door_table,
    plain,
    reciters_table,
    recovery_s,
    stretch_of,
)
from benchmarks.processes import Meter
from benchmarks.report import Report
from benchmarks.system import System, system

REST_S = 2.0
CROWD = 4
"""So many times the first offer come to find out what the workers hold."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of each stretch."""

    settle: float
    baseline: float
    overload: float
    after: float


FULL = Lengths(settle=90.0, baseline=30.0, overload=60.0, after=10.0)
QUICK = Lengths(settle=30.0, baseline=10.0, overload=15.0, after=6.0)


def run_overload(model: Path, console: Console, *, quick: bool, sessions: int, most: int) -> Report:
    """`sessions`: offer so many whatever the workers measure (0: as measured), `most` bounds it."""
    measured = asyncio.run(_measure(model, console, QUICK if quick else FULL, sessions, most))
    baseline, _, after = measured.stretches
    card = read_card(model)
    return Report(
        name="overload",
        headline={
            "p95_ratio": round(measured.p95_ratio, 3),
            "unreported": measured.unreported,
            "recovery_s": measured.recovery_s,
            "recovery_ratio": round(after.p95_ms / baseline.p95_ms, 3),
            "capacity": measured.offered[1],
            "capacity_p95_ms": round(measured.finding.p95_ms, 1),
            "reciters": measured.inside.accepted,
            "turned_away": measured.outside.turned_away,
            "call_cpu_ms": round(measured.call_cpu_ms, 2),
        },
        tables=[reciters_table(measured), door_table(measured), cpu_table(measured)],
        figures={**plain(measured), "cores": available_cores()},
        model=f"{card.name} {card.version}".strip(),
        notes=[f"at most {most} reciters (--most): the load generator shares the machine"] if most else [],
    )


async def _measure(model: Path, console: Console, lengths: Lengths, sessions: int, most: int) -> Overload:
    env = {"ASR_MODEL": str(model), "ASR_MAX_SESSIONS": str(sessions or most)}
    async with system(env=env | {"ASR_CAPACITY": "fixed" if sessions else "measured"}) as running:
        first = await _offered(running)
        console.print(f"the workers offer {first} sessions at first", style="dim")
        finding = await _settle(running, first, lengths.settle)
        settled = await _offered(running)
        console.print(f"under load they offer {settled}, p95 {finding.p95_ms:.0f} ms", style="dim")
    # Held from now on, so that every stretch serves equally many.
    env |= {"ASR_CAPACITY": "fixed", "ASR_MAX_SESSIONS": str(settled)}
    async with system(env=env) as running:
        await _settle(running, min(8, settled), 4.0)  # warm-up, thrown away
        await asyncio.sleep(REST_S)
        return await _run(running, lengths, (first, settled), finding)


async def _settle(running: System, first: int, seconds: float) -> Stretch:
    """More than first offered come; who is let in stays. Returns how those fared at the end."""
    order = CrowdOrder(running.urls, CROWD * first, seconds, every_s=KNOCK_EVERY_S)
    async with crowd(order) as callers:
        callers.go()
        until_s = _now_s() + seconds
        figures = await callers.figures()
    return stretch_of("finding it", figures.admitted.segments, until_s - seconds / 3, until_s)


async def _run(running: System, lengths: Lengths, offered: tuple[int, int], finding: Stretch) -> Overload:
    capacity = offered[1]
    order = LoadOrder(
        running.urls, capacity, lengths.baseline + lengths.overload + lengths.after, connect_per_s=50.0
    )
    callers = CrowdOrder(running.urls, capacity, lengths.overload, every_s=KNOCK_EVERY_S)
    async with crowd(callers) as outside, load(order) as inside:
        await inside.reach("streaming")
        meter, began_s = Meter(running.pids), _now_s()
        meter.start()
        await asyncio.sleep(lengths.baseline)
        outside.go()
        come_s = _now_s()
        calm = meter.spent(come_s - began_s)
        meter.start()
        await asyncio.sleep(lengths.overload)
        gone_s = _now_s()
        busy = meter.spent(gone_s - come_s)
        served = await inside.figures()
        crowded = await outside.figures()
    segments = [*served.segments, *crowded.admitted.segments]
    stretches = (
        stretch_of("capacity", segments, began_s, come_s),
        stretch_of("2x capacity", segments, come_s, gone_s),
        stretch_of("right after", served.segments, gone_s, gone_s + lengths.after),
    )
    recovery = recovery_s(served.segments, gone_s, lengths.after, ALLOWED * stretches[0].p95_ms)
    spent = list(zip(calm, busy, strict=True))
    return Overload(offered, finding, stretches, recovery, served, crowded, spent)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _offered(running: System) -> int:
    """Session slots of all workers, as the router counts them."""
    async with httpx.AsyncClient(timeout=5) as client:
        answer = await client.get(f"http://127.0.0.1:{running.plan.ports.routers[0]}/v1/capacity")
        pools = answer.raise_for_status().json()["pools"]
    return int(sum(pool["capacity"] for pool in pools))
