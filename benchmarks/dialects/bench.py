"""`rattil bench serve --dialect NAME`: sessions that each dialect holds within 500 ms, beside the peers.

Clients of one dialect at a time stream real speech at the pace of life into the whole system; their number is
doubled until the 95th percentile of the delay passes 3 s, anything fails, or nothing is heard for too long.
Told is how many were held within 500 ms and within 3 s. The peers get the same model, speech and rule
(`benchmarks/dialects/sessions.py` says it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks.dialects.sessions import Noted, hold
from benchmarks.dialects.wires import PEER_WIRES, WIRES, Wire
from benchmarks.figures import percentile
from benchmarks.machine import available_cores
from benchmarks.peers.servers import PEERS, Peer, peers_python, serving
from benchmarks.report import Report, Table
from benchmarks.serve.levels import TARGET_MS
from benchmarks.system import system
from cli.ports import free_port

FIRST, MOST = 1, 1024
CONNECT_WITHIN_S = 2.0
"""Clients connect one after another within so long: nobody speaks in step."""
REST_S = 2.0
PROBE_S, MOST_PROBES = 5.0, 6
RELAXED_MS = 3000.0
"""What a service that holds nobody within the target may take."""
MOST_SILENCE_S = 6.0
"""Longer without news is not held, however quick the news is: no pause of the speech is so long."""
DIALECT_ENV = {
    "WS_PARTIAL_RESULT_INTERVAL": "0.1",
    "STREAM_ENABLED": "true",
    "STREAM_LANGUAGE": "ar",
    # Further ports count against the open files that a process may have: no more than `MOST` need.
    "WS_MAX_CONNECTIONS": "2000",
}


class DialectLevel(msgspec.Struct, frozen=True):
    """One run of N clients; delays in ms."""

    sessions: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    answers: int
    unanswered: int
    longest_silence_s: float
    late_frame_ms: float
    trouble: str

    def served(self, target_ms: float = TARGET_MS) -> bool:
        """Within the target, all answered, nobody refused, nobody left alone."""
        within = self.p95_ms <= target_ms and self.longest_silence_s <= MOST_SILENCE_S
        return within and not self.unanswered and not self.trouble


class DialectRun(msgspec.Struct, frozen=True):
    """All runs of one wire."""

    name: str
    timed: str
    peer: bool
    levels: list[DialectLevel]
    trouble: str = ""

    def best(self, target_ms: float = TARGET_MS) -> int:
        """The largest N that was held."""
        return max((level.sessions for level in self.levels if level.served(target_ms)), default=0)

    @property
    def shown(self) -> DialectLevel | None:
        """The largest level that was held within the target, else the first."""
        held = [level for level in self.levels if level.served()]
        return max(held, key=lambda level: level.sessions) if held else next(iter(self.levels), None)


def level_of(sessions: int, noted: Sequence[Noted]) -> DialectLevel:
    """What N clients noted, together."""
    delays = [1000 * delay for one in noted for delay in one.delays_s]
    return DialectLevel(
        sessions=sessions,
        p50_ms=percentile(delays, 0.5),
        p95_ms=percentile(delays, 0.95),
        p99_ms=percentile(delays, 0.99),
        answers=len(delays),
        unanswered=sum(one.unanswered for one in noted),
        longest_silence_s=max((one.longest_silence_s for one in noted), default=0.0),
        late_frame_ms=1000 * max((one.late_frame_s for one in noted), default=0.0),
        trouble=next((one.trouble for one in noted if one.trouble), ""),
    )


def run_dialects(
    model: Path, name: str, console: Console, dialects: Sequence[str], *, quick: bool, peers: bool
) -> Report:
    """Every dialect, then the peers if asked for. `name`: of the model, for the report."""
    runs = asyncio.run(_measure_all(model, console, [WIRES[one] for one in dialects], quick))
    if peers:
        runs += asyncio.run(_measure_peers(model, console, quick))
    return report_of(runs, name)


async def _measure_all(model: Path, console: Console, wires: Sequence[Wire], quick: bool) -> list[DialectRun]:
    ports = {"stream": free_port(), "stream_ws": free_port()}
    streams = {"STREAM_PORT": str(ports["stream"]), "STREAM_WS_PORT": str(ports["stream_ws"])}
    runs = []
    async with system(env=DIALECT_ENV | streams | {"ASR_MODEL": str(model)}) as running:
        ports["gateway"] = int(running.urls[0].rpartition(":")[2])
        for wire in wires:
            runs.append(await _search(wire, wire.name, ports[wire.port], console, quick, peer=False))
    return runs


async def _measure_peers(model: Path, console: Console, quick: bool) -> list[DialectRun]:
    python = peers_python()
    if python is None:
        console.print("no peers installed: run benchmarks/peers/setup.sh", style="yellow")
        return []
    return [await _peer(peer, python, model, console, quick) for peer in PEERS]


async def _peer(peer: Peer, python: Path, model: Path, console: Console, quick: bool) -> DialectRun:
    wire = PEER_WIRES[peer.dialect]
    try:
        async with serving(peer, python, model) as (port, _, _):
            return await _search(wire, peer.name, port, console, quick, peer=True)
    except (RuntimeError, ProcessLookupError) as error:
        return DialectRun(peer.name, wire.timed, True, [], str(error))


async def _search(
    wire: Wire, name: str, port: int, console: Console, quick: bool, *, peer: bool
) -> DialectRun:
    """Double N until a level is not held in the relaxed time; then once halfway past the target."""
    seconds = 8.0 if quick else 12.0
    await _level(wire, port, 1, PROBE_S)  # warm-up: a peer loads its model with its first client

    async def run(sessions: int) -> DialectLevel:
        level = await _level(wire, port, sessions, seconds)
        seen = f"p95 {level.p95_ms:.0f} ms, answers {level.answers}, silent {level.longest_silence_s:.1f} s"
        console.print(f"{name}: {sessions} sessions, {seen} {level.trouble}", style="dim", markup=False)
        return level

    if not peer:
        await _recovered(wire, port)
    levels = [await run(FIRST)]
    while levels[-1].served(RELAXED_MS) and levels[-1].sessions < MOST:
        levels.append(await run(2 * levels[-1].sessions))
    held = max((level.sessions for level in levels if level.served()), default=0)
    if not quick and FIRST < held < levels[-1].sessions:
        await _recovered(wire, port)
        levels.append(await run(held * 3 // 2))
    return DialectRun(name, wire.timed, peer, levels)


async def _recovered(wire: Wire, port: int) -> None:
    """What too many clients have left behind is worked off: one client is served in time again, or we waited
    long enough."""
    for _ in range(MOST_PROBES):
        if (await _level(wire, port, 1, PROBE_S)).served():
            return


async def _level(wire: Wire, port: int, sessions: int, seconds: float) -> DialectLevel:
    async def one(number: int) -> Noted:
        await asyncio.sleep(CONNECT_WITHIN_S * number / sessions)
        return await hold(wire, port, number, seconds)

    noted = await asyncio.gather(*(one(number) for number in range(sessions)))
    await asyncio.sleep(REST_S)
    return level_of(sessions, noted)


def report_of(runs: Sequence[DialectRun], model: str) -> Report:
    """Figures, one table, and the headline: the dialect that holds the fewest against the best peer."""
    headline: Mapping[str, float | int | str] = {run.name: run.best() for run in runs if not run.peer}
    if any(run.peer for run in runs):
        best_peer, relaxed_peer = _best_peer(runs, TARGET_MS), _best_peer(runs, RELAXED_MS)
        headline = {
            **headline,
            "best_peer": best_peer,
            "least_ratio": min(run.best() for run in runs if not run.peer) / max(1, best_peer),
            "best_peer_3s": relaxed_peer,
            "least_ratio_3s": min(run.best(RELAXED_MS) for run in runs if not run.peer)
            / max(1, relaxed_peer),
        }
    return Report(
        name="dialects",
        headline=headline,
        tables=[_table(runs)],
        figures={"runs": [msgspec.to_builtins(run) for run in runs], "cores": available_cores()},
        model=model,
        notes=_notes(runs),
    )


def _best_peer(runs: Sequence[DialectRun], target_ms: float) -> int:
    return max(run.best(target_ms) for run in runs if run.peer)


def _notes(runs: Sequence[DialectRun]) -> list[str]:
    if not any(run.peer for run in runs):
        return ["peers were not run; --peers runs them (benchmarks/peers/setup.sh installs)"]
    if _best_peer(runs, TARGET_MS):
        return []
    return ["no peer held a single session within 500 ms; the ratio counts the best as one"]


def _table(runs: Sequence[DialectRun]) -> Table:
    rows = []
    for run in runs:
        level = run.shown
        if level is None:
            rows.append([run.name, "0", "0", run.timed, *["-"] * 6, run.trouble])
            continue
        delays = [f"{one:.0f}" for one in (level.p50_ms, level.p95_ms, level.p99_ms)]
        rest = [str(level.answers), f"{level.longest_silence_s:.1f}", f"{level.late_frame_ms:.0f}"]
        held = [str(run.best()), str(run.best(RELAXED_MS))]
        rows.append([run.name, *held, run.timed, *delays, *rest, level.trouble or "-"])
    columns = (
        "wire",
        "in 500 ms",
        "in 3 s",
        "timed",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "answers",
        "silent s",
        "client late",
    )
    return Table(
        "sessions held with a p95 within 500 ms and within 3 s, same model and speech",
        (*columns, "trouble"),
        rows,
        "the other figures are of the most that were held within 500 ms, or of one client",
    )
