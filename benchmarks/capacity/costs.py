"""What one reciter costs each part: from the JSON files of the other benchmarks, or from defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.figures import line, median

SEGMENT_EVERY_S = 2.0
"""A window of 2.5 s with 0.5 s overlap."""
SEGMENT_BYTES = 80_000
PCM_BYTES_PER_S = 32_000
EVENT_BYTES_PER_S = 3_000
"""Down to the client: a partial result of about 5 kB every 2 s, and an ack."""


class Costs(msgspec.Struct, frozen=True):
    """Measured costs. CPU in core-seconds.

    The engine decodes a batch of n segments in `batch_s + n * segment_s`. `stored_bytes_per_s`: the
    session's audio in Redis (STORE_AUDIO_CODEC=pcm16), per second of recitation. `stored_tail_s`: what
    STORE_AUDIO=tail keeps of it, 0: all. `ended_kept_s`: how long an ended session is kept, as
    SESSION_END_GRACE_S is if nothing is set (one left without `end`: SESSION_TTL_S). `result_bytes`:
    a segment's result in the session's log; `session_bytes`: the rest of a session.
    """

    gateway_cpu_per_session_s: float = 0.0011
    gateway_kb_per_session: float = 210.0
    redis_cpu_per_segment_s: float = 0.0003
    batch_s: float = 0.004
    segment_s: float = 0.0045
    max_batch: int = 16
    overhead_s: float = 0.012
    worker_mb: float = 130.0
    stored_bytes_per_s: float = 32_000.0
    session_minutes: float = 5.0
    stored_tail_s: float = 0.0
    ended_kept_s: float = 60.0
    result_bytes: float = 700.0
    session_bytes: float = 4_000.0
    source: tuple[str, ...] = ()


def read_costs(folder: Path | None) -> Costs:
    """The defaults, replaced by what the JSON files in `folder` say."""
    costs = Costs()
    if folder is None:
        return costs
    for name, take in {"asr": _asr, "gateway": _gateway, "bus": _bus, "serve": _serve}.items():
        path = folder / f"{name}.json"
        if path.is_file():
            found = take(msgspec.json.decode(path.read_bytes())["figures"])
            costs = msgspec.structs.replace(costs, **found, source=(*costs.source, path.name))
    return costs


def _asr(figures: Mapping[str, Any]) -> dict[str, float]:
    """A line through the engine's time per batch over its size, one thread."""
    one_thread = figures["configurations"][0]
    rates = {
        path["batch"]: median(path["segments_per_s"])
        for path in one_thread["paths"]
        if path["name"].startswith("rattil")
    }
    base, steep = line([(batch, batch / rate) for batch, rate in rates.items()])
    return {"batch_s": max(0.0, base), "segment_s": max(1e-6, steep)}


def _gateway(figures: Mapping[str, Any]) -> dict[str, float]:
    clean = [run for run in figures["runs"] if not run["lost"]]
    largest = max(clean or figures["runs"], key=lambda run: run["sessions"])
    return {
        "gateway_cpu_per_session_s": figures["cpu_percent_per_session"] / 100,
        "gateway_kb_per_session": largest["active_kb"],
    }


def _bus(figures: Mapping[str, Any]) -> dict[str, float]:
    stored = [run["redis_us"] for run in figures["runs"] if run["store_audio"] != "off"]
    return {"redis_cpu_per_segment_s": median(stored) / 1e6}


def _serve(figures: Mapping[str, Any]) -> dict[str, float]:
    return {"overhead_s": figures["half_load"]["stages"]["overhead_p50_ms"] / 1000}
