"""`rattil bench capacity`: what 1,000, 10,000 and 100,000 reciters need.

The costs come from the JSON files of the other benchmarks (`--from FOLDER`), else from defaults that
were measured on two cores of an AMD EPYC. How many reciters a worker holds at p95 of 500 ms comes
from a simulation of the pool (`capacity/simulation.py`), not from dividing averages; the p95 shown
is simulated with the workers of that row, in slices of at most 5,000 reciters, as shards are
independent. Workers have one core each here; give a GPU worker's own rate with `--gpu-segments-per-s`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks.capacity.costs import Costs, read_costs
from benchmarks.capacity.needs import Needs, needs
from benchmarks.capacity.simulation import sessions_per_worker, simulate
from benchmarks.report import Figure, Report, Table

SIZES = (1_000, 10_000, 100_000)
SLICE = 5_000
POOL = 8
"""Workers of the pool that is simulated: a shared stream evens out what one worker alone would feel."""
GPU_BATCH = 128
HEADROOM = 0.85
"""Share of a pool's largest number of reciters that is planned for: a dead worker, an uneven minute."""


def run_capacity(console: Console, folder: Path | None, gpu_segments_per_s: float, *, quick: bool) -> Report:
    """Tables for workers of one core, and for GPUs if their rate is given."""
    costs = read_costs(folder)
    kinds = [("core", costs)]
    if gpu_segments_per_s:
        kinds.append(("GPU", _gpu(costs, gpu_segments_per_s)))
    pool = 2 if quick else POOL
    tables, figures = [_costs_table(costs)], {}
    headline: dict[str, Figure] = {}
    for kind, priced in kinds:
        console.print(f"simulating a pool of {pool} workers of one {kind} …", style="dim")
        each = HEADROOM * sessions_per_worker(priced, pool) / pool
        rows = [(found, _p95(found, priced)) for found in (needs(size, each, priced) for size in SIZES)]
        tables.append(_needs_table(kind, each, rows, priced))
        figures[kind] = [asdict(found) | {"p95_s": p95_s} for found, p95_s in rows]
        headline[f"sessions_per_{kind.lower()}"] = round(each)
        for found, _ in rows:
            size = f"{found.reciters // 1000}k"
            headline |= {f"{kind.lower()}s_{size}": found.workers}
            if kind == "core":
                headline |= {f"gateways_{size}": found.gateways, f"redis_{size}": found.redis_shards}
    return Report(
        name="capacity",
        headline=headline,
        tables=tables,
        figures={"costs": msgspec.to_builtins(costs), "needs": figures},
        notes=[
            *(
                []
                if costs.source
                else ["built-in costs; --from FOLDER takes this machine's own measurements"]
            ),
            *(
                []
                if gpu_segments_per_s
                else ["no GPU was measured; --gpu-segments-per-s adds rows for a rate"]
            ),
        ],
    )


def _gpu(costs: Costs, segments_per_s: float) -> Costs:
    """A worker with large batches, of which half the time is fixed: measured shapes vary widely."""
    batch_s = GPU_BATCH / segments_per_s
    return msgspec.structs.replace(
        costs, batch_s=batch_s / 2, segment_s=batch_s / 2 / GPU_BATCH, max_batch=GPU_BATCH
    )


def _p95(found: Needs, costs: Costs) -> float:
    slices = max(1, found.reciters // SLICE)
    return simulate(found.reciters // slices, max(1, found.workers // slices), costs, seconds=16.0)


def _costs_table(costs: Costs) -> Table:
    rows = [
        ["gateway, CPU per reciter", f"{1000 * costs.gateway_cpu_per_session_s:.2f} ms/s"],
        ["gateway, memory per reciter", f"{costs.gateway_kb_per_session:.0f} kB"],
        ["Redis, CPU per segment", f"{1e6 * costs.redis_cpu_per_segment_s:.0f} µs"],
        ["engine, per batch + per segment", f"{1000 * costs.batch_s:.1f} + {1000 * costs.segment_s:.1f} ms"],
        ["overhead outside the engine", f"{1000 * costs.overhead_s:.0f} ms"],
    ]
    return Table("what it is computed from", ("cost", "figure"), rows, ", ".join(costs.source))


def _rated(kind: str, costs: Costs) -> str:
    """Whose word the row is."""
    if kind == "GPU":
        return "not measured: their rate was given by --gpu-segments-per-s"
    return "from measured costs" if costs.source else "not measured: from built-in costs"


def _needs_table(kind: str, each: float, rows: list[tuple[Needs, float]], costs: Costs) -> Table:
    return Table(
        f"needs, workers of one {kind} each ({each:.0f} reciters per {kind}), {_rated(kind, costs)}",
        (
            "reciters",
            "segments/s",
            f"workers ({kind}s)",
            "gateways (cores)",
            "Redis shards",
            "bound by",
            "Redis GB",
            "gateway GB",
            "clients GB/s",
            "Redis GB/s",
            "p95 ms",
        ),
        [
            [
                f"{found.reciters:,}",
                f"{found.segments_per_s:,.0f}",
                str(found.workers),
                str(found.gateways),
                str(found.redis_shards),
                found.redis_bound,
                f"{found.redis_gb:.0f}",
                f"{found.gateway_gb:.1f}",
                f"{found.client_gb_s:.2f}",
                f"{found.redis_gb_s:.2f}",
                f"{1000 * p95_s:.0f}",
            ]
            for found, p95_s in rows
        ],
        f"planned with {100 * (1 - HEADROOM):.0f} % headroom; Redis holds live sessions of 5 minutes "
        "and those that ended in the last minute (SESSION_END_GRACE_S)",
    )
