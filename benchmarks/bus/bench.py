"""`rattil bench bus`: segments per second through real Redis, with the product's own bus code.

One process plays the gateways (push, wait for the result), one the workers (claim, commit), each
shard is one Redis. Segments carry 2.5 s of PCM16 (80 kB). `segments/s` is what this machine carries
end to end; the CPU columns say what a segment costs each side, and so what one core of each carries.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import msgspec
from rich.console import Console

from benchmarks.bus.gateways import GatewaysFigures, GatewaysOrder
from benchmarks.figures import median, percentile
from benchmarks.machine import ROOT, available_cores
from benchmarks.processes import usage
from benchmarks.report import Report, Table
from cli.embedded_redis import EmbeddedRedis
from shared.bus.limits import StoreAudio

SESSIONS = 64


@dataclass(frozen=True, slots=True)
class BusRun:
    """One configuration. CPU in microseconds per segment; `redis_us` over all shards."""

    shards: int
    store_audio: StoreAudio
    sessions: int
    segments_per_s: float
    p50_ms: float
    p95_ms: float
    redis_us: float
    gateway_us: float
    worker_us: float


def run_bus(console: Console, *, quick: bool) -> Report:
    """Measure one and two shards, with and without stored audio."""
    seconds = 4.0 if quick else 12.0
    modes: list[tuple[int, StoreAudio]] = [(1, "off"), (2, "off"), (1, "tail"), (2, "tail")]
    runs: list[BusRun] = []
    for shards, store_audio in modes:
        console.print(f"{shards} shard(s), STORE_AUDIO={store_audio} …", style="dim")
        runs.append(_measure(shards, store_audio, seconds))
    return Report(
        name="bus",
        headline={
            "segments_per_s": max(run.segments_per_s for run in runs if run.store_audio == "off"),
            "segments_per_s_stored": max(run.segments_per_s for run in runs if run.store_audio == "tail"),
            "redis_core_segments_per_s": 1e6 / median([run.redis_us for run in runs]),
        },
        tables=[_table(runs)],
        figures={"runs": [asdict(run) for run in runs], "cores": available_cores()},
        notes=[
            "gateways, workers, Redis and this harness share the cores of one machine, "
            "so segments/s is bounded by their sum; cost per segment is what carries over"
        ],
    )


def _measure(shards: int, store_audio: StoreAudio, seconds: float) -> BusRun:
    with ExitStack() as stack:
        servers = [stack.enter_context(EmbeddedRedis()) for _ in range(shards)]
        url = ",".join(server.url for server in servers)
        worker = subprocess.Popen([sys.executable, "-m", "benchmarks.bus.workers", url], cwd=ROOT)
        stack.callback(_end, worker)
        order = GatewaysOrder(url, SESSIONS, seconds, store_audio)
        pids = [server.pid for server in servers if server.pid is not None]
        redis_s, worker_s = sum(usage(pid).cpu_s for pid in pids), usage(worker.pid).cpu_s
        began_s = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.bus.gateways"],
            input=msgspec.json.encode(order),
            stdout=subprocess.PIPE,
            check=True,
            cwd=ROOT,
            timeout=seconds + 60,
        )
        whole_s = time.monotonic() - began_s
        redis_s = sum(usage(pid).cpu_s for pid in pids) - redis_s
        worker_s = usage(worker.pid).cpu_s - worker_s
    figures = msgspec.json.decode(done.stdout, type=GatewaysFigures)
    # The other processes are measured from outside, warm-up included: their cost is per segment of all.
    all_segments = figures.answered * (seconds + 1.0) / figures.seconds
    assert whole_s >= seconds
    return BusRun(
        shards=shards,
        store_audio=store_audio,
        sessions=SESSIONS,
        segments_per_s=figures.answered / figures.seconds,
        p50_ms=percentile(figures.latency_ms, 0.5),
        p95_ms=percentile(figures.latency_ms, 0.95),
        redis_us=1e6 * redis_s / all_segments,
        gateway_us=1e6 * figures.cpu_s / figures.answered,
        worker_us=1e6 * worker_s / all_segments,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _table(runs: list[BusRun]) -> Table:
    rows = [
        [
            f"{run.shards} shard(s), STORE_AUDIO={run.store_audio}",
            f"{run.segments_per_s:.0f}",
            f"{run.p50_ms:.1f}",
            f"{run.p95_ms:.1f}",
            f"{run.redis_us:.0f}",
            f"{run.gateway_us:.0f}",
            f"{run.worker_us:.0f}",
            f"{1e6 / run.redis_us:.0f}",
        ]
        for run in runs
    ]
    return Table(
        f"push, claim, commit, deliver: 80 kB segments of {SESSIONS} sessions at full speed",
        (
            "",
            "segments/s",
            "p50 ms",
            "p95 ms",
            "Redis µs",
            "gateway µs",
            "worker µs",
            "segments/s per Redis core",
        ),
        rows,
        "µs of CPU per segment; a live reciter sends one segment every 2 s",
    )
