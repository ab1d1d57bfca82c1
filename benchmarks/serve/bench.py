"""`rattil bench serve`: live reciters of real speech against the whole system on this machine.

Every reciter sends 4 frames a second on an absolute schedule and gets its words back; the latency of
a segment runs from its last sample sent to its result received. N is doubled until the 95th
percentile passes 500 ms or anything is lost. `overhead` is what is neither the engine nor waiting for
it, measured at half of the largest N. Router, gateway, worker, Redis and the load generator share
the cores. `--device cuda` runs the worker on a GPU, with the bundled model or with one of
`benchmarks.asr.shapes`. With `--peers` the same speech is streamed to other servers with the same model.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.console import Console

from asr_worker.engines.model_files import read_card
from benchmarks.machine import available_cores
from benchmarks.peers.bench import PeerRun, measure_peers, peers_table
from benchmarks.report import Report, Table
from benchmarks.serve.levels import Level, run_level, search
from benchmarks.system import system

GPU = {"ASR_MAX_BATCH": "128", "ASR_MAX_IN_FLIGHT": "512"}
"""A GPU decodes a hundred windows in little more than the time of one."""

FIRST = 32
MOST = 4096


def run_serve(model: Path, console: Console, *, quick: bool, peers: bool, device: str = "auto") -> Report:
    """Rattil first, then the peers if asked for."""
    levels, best, half = asyncio.run(_rattil(model, console, quick, device))
    measured = measure_peers(model, console, quick=quick) if peers else []
    card = read_card(model)
    return _report(levels, best, half, measured, f"{card.name} {card.version}".strip())


async def _rattil(model: Path, console: Console, quick: bool, device: str) -> tuple[list[Level], int, Level]:
    seconds = 8.0 if quick else 20.0

    env = {"ASR_MODEL": str(model), "ASR_DEVICE": device}
    async with system(env=env | (GPU if device == "cuda" else {})) as running:
        await run_level(running, 8, 4.0)  # warm-up, thrown away

        async def run(sessions: int) -> Level:
            level = await run_level(running, sessions, seconds)
            seen = f"p95 {level.p95_ms:.0f} ms, lost {level.lost}, failed {level.failed}"
            console.print(f"{sessions:>5} reciters: {seen}", style="dim")
            return level

        levels, best = await search(run, FIRST, MOST, refine=0 if quick else 2)
        half = await run(max(1, best // 2))
    return levels, best, half


def _report(levels: list[Level], best: int, half: Level, peers: list[PeerRun], model: str) -> Report:
    chosen = max((level for level in levels if level.served), key=lambda one: one.sessions, default=levels[0])
    best_peer = max((run.best for run in peers), default=math.nan)
    tables = [_latencies([*levels, half]), _processes(chosen)]
    if peers:
        tables.append(peers_table(peers))
    return Report(
        name="serve",
        headline={
            "sessions": best,
            "best_peer": best_peer,
            "ratio": best / max(1, best_peer) if peers else math.nan,
            "p95_ms": round(chosen.p95_ms, 1),
            "overhead_p95_ms": round(half.stages.overhead_p95_ms, 1),
            "lost": sum(level.lost for level in levels if level.served),
        },
        tables=tables,
        figures={
            "levels": [_plain(level) for level in levels],
            "half_load": _plain(half),
            "peers": [msgspec.to_builtins(run) for run in peers],
            "cores": available_cores(),
        },
        model=model,
        notes=_notes(peers, best_peer),
    )


def _notes(peers: list[PeerRun], best_peer: float) -> list[str]:
    if not peers:
        return ["peers were not run; --peers runs them (benchmarks/peers/setup.sh installs)"]
    if best_peer >= 1:
        return []
    relaxed = max(run.best_relaxed for run in peers)
    return [
        "no peer kept p95 within 500 ms with a single client; the ratio counts the best as one. "
        f"Within 2 s the best peer served {relaxed}"
    ]


def _plain(level: Level) -> dict[str, object]:
    """A level for the JSON file, without the single latencies."""
    plain = {name: getattr(level, name) for name in ("sessions", "p50_ms", "p95_ms", "p99_ms", "segments")}
    plain |= {"lost": level.lost, "failed": level.failed, "stages": asdict(level.stages)}
    return plain | {"spent": [asdict(spent) for spent in level.spent]}


def _latencies(levels: list[Level]) -> Table:
    rows = [
        [
            str(level.sessions),
            f"{level.p50_ms:.0f}",
            f"{level.p95_ms:.0f}",
            f"{level.p99_ms:.0f}",
            str(level.segments),
            str(level.lost),
            str(level.failed),
            f"{level.stages.queued_p95_ms:.0f}",
            f"{level.stages.waited_p95_ms:.0f}",
            f"{level.stages.inference_p95_ms:.0f}",
            f"{level.stages.overhead_p95_ms:.0f}",
            f"{level.stages.batch_mean:.1f}",
            f"{level.late_frames_p99_ms:.0f}",
        ]
        for level in levels
    ]
    return Table(
        "live reciters against the whole system",
        (
            "reciters",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "segments",
            "lost",
            "failed",
            "queued p95",
            "waited p95",
            "engine p95",
            "overhead p95",
            "batch",
            "client late p99",
        ),
        rows,
        "last row: half load; queued: push to claim; waited: claim to engine; "
        "overhead: all but waited and engine",
    )


def _processes(level: Level) -> Table:
    rows = [[s.name, f"{s.cpu_percent:.0f} %", f"{s.rss_mb:.0f}", f"{s.pss_mb:.0f}"] for s in level.spent]
    return Table(
        f"by process at {level.sessions} reciters", ("process", "CPU of one core", "RSS MB", "PSS MB"), rows
    )
