"""N paced clients against each installed peer, doubled until its p95 passes the target."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks.figures import percentile
from benchmarks.peers.servers import PEERS, Peer, peers_python, serving
from benchmarks.peers.streams import PeerSession, stream
from benchmarks.processes import usage
from benchmarks.report import Table

TARGET_MS = 500.0
RELAXED_MS = 2000.0
MOST = 64
CONNECT_EVERY_S = 0.1
REST_S = 2.0


class PeerLevel(msgspec.Struct, frozen=True):
    """One run of N clients. `missed`: marks that no text ever covered; CPU in percent of one core."""

    sessions: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    marks: int
    missed: int
    trouble: str
    cpu_percent: float
    rss_mb: float
    text: str

    def served(self, target_ms: float) -> bool:
        return not self.missed and not self.trouble and self.p95_ms <= target_ms


class PeerRun(msgspec.Struct, frozen=True):
    """All runs of one peer, and the largest N within the target and within two seconds."""

    name: str
    best: int
    best_relaxed: int
    levels: list[PeerLevel]
    trouble: str = ""


def measure_peers(model: Path, console: Console, *, quick: bool) -> list[PeerRun]:
    """Every peer in turn; one that does not start is reported as such."""
    python = peers_python()
    if python is None:
        console.print("no peers installed: run benchmarks/peers/setup.sh", style="yellow")
        return []
    return [asyncio.run(_measure(peer, python, model, console, 9.0 if quick else 19.0)) for peer in PEERS]


async def _measure(peer: Peer, python: Path, model: Path, console: Console, seconds: float) -> PeerRun:
    levels: list[PeerLevel] = []
    try:
        async with serving(peer, python, model) as (port, pid, _):
            await _level(peer, port, pid, 1, 5.0)  # warm-up: the model is loaded with the first client
            sessions = 1
            while sessions <= MOST:
                levels.append(await _level(peer, port, pid, sessions, seconds))
                level = levels[-1]
                console.print(
                    f"{peer.name}: {sessions} clients, p95 {level.p95_ms:.0f} ms, missed {level.missed} "
                    f"of {level.marks} {level.trouble}",
                    style="dim",
                )
                if not level.served(RELAXED_MS):
                    break
                sessions *= 2
    except (RuntimeError, ProcessLookupError) as error:
        return PeerRun(peer.name, 0, 0, levels, str(error))
    return PeerRun(peer.name, _best(levels, TARGET_MS), _best(levels, RELAXED_MS), levels)


def _best(levels: list[PeerLevel], target_ms: float) -> int:
    return max((level.sessions for level in levels if level.served(target_ms)), default=0)


async def _level(peer: Peer, port: int, pid: int, sessions: int, seconds: float) -> PeerLevel:
    began, loop = usage(pid), asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[PeerSession]] = []
        for number in range(sessions):
            tasks.append(
                group.create_task(stream(peer.dialect, port, number, seconds), name=f"peer-{number}")
            )
            await asyncio.sleep(CONNECT_EVERY_S)
    noted = [task.result() for task in tasks]
    ended = usage(pid)
    latencies = [latency for session in noted for latency in session.latencies_ms()]
    await asyncio.sleep(REST_S)
    return PeerLevel(
        sessions=sessions,
        p50_ms=percentile(latencies, 0.5),
        p95_ms=percentile(latencies, 0.95),
        p99_ms=percentile(latencies, 0.99),
        marks=sum(len(session.sent_s) for session in noted),
        missed=sum(session.missed for session in noted),
        trouble=next((session.trouble for session in noted if session.trouble), ""),
        cpu_percent=100 * (ended.cpu_s - began.cpu_s) / (loop.time() - began_s),
        rss_mb=ended.rss_kb / 1024,
        text=noted[0].text[:200],
    )


def peers_table(runs: list[PeerRun]) -> Table:
    """One row per peer and level."""
    rows = [
        [
            run.name,
            str(level.sessions),
            f"{level.p50_ms:.0f}",
            f"{level.p95_ms:.0f}",
            f"{level.p99_ms:.0f}",
            str(level.marks),
            str(level.missed),
            f"{level.cpu_percent:.0f} %",
            f"{level.rss_mb:.0f}",
            "yes" if level.served(TARGET_MS) else "no",
        ]
        for run in runs
        for level in run.levels
    ]
    rows += [[run.name, "-", *["-"] * 7, run.trouble] for run in runs if run.trouble]
    return Table(
        "peers, same model and speech",
        ("peer", "clients", "p50 ms", "p95 ms", "p99 ms", "marks", "missed", "CPU", "RSS MB", "served"),
        rows,
        "a mark every 2 s, answered by the first text that can have heard it; "
        f"served: p95 within {TARGET_MS:.0f} ms, no mark missed",
    )
