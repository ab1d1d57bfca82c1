"""From reciters to machines, by sums. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.capacity.costs import (
    EVENT_BYTES_PER_S,
    PCM_BYTES_PER_S,
    SEGMENT_BYTES,
    SEGMENT_EVERY_S,
    Costs,
)

GATEWAY_USE = 0.7
"""Share of a core a gateway process may use."""
REDIS_USE = 0.5
"""Share of a core a Redis shard may use: it is one thread, and its latency rises with its use."""
REDIS_MEMORY_GB = 16.0
REDIS_NETWORK_GB_S = 1.0
"""A shard's share of a 10 Gbit/s link, both ways together."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What so many reciters need. Bandwidth in GB/s, memory in GB over all processes of a kind."""

    reciters: int
    segments_per_s: float
    gateways: int
    gateway_gb: float
    redis_shards: int
    redis_bound: str
    redis_gb: float
    workers: int
    worker_gb: float
    client_gb_s: float
    redis_gb_s: float


def stored_bytes(reciters: int, costs: Costs) -> float:
    """What Redis holds with so many live sessions: theirs, on the mean half done, and those that have ended.

    An ended session is kept for `ended_kept_s`, whole. Sessions of length L end `reciters / L` times a
    second, so that `reciters * ended_kept_s / L` of them are there: one for five live ones of five minutes.
    """
    length_s = 60 * costs.session_minutes
    ended = reciters * costs.ended_kept_s / length_s
    live = reciters * _session_bytes(length_s / 2, costs)
    return live + ended * _session_bytes(length_s, costs)


def _session_bytes(seconds: float, costs: Costs) -> float:
    """A session after so many seconds of recitation."""
    kept_s = min(seconds, costs.stored_tail_s or seconds)
    results = seconds / SEGMENT_EVERY_S * costs.result_bytes
    return kept_s * costs.stored_bytes_per_s + results + costs.session_bytes


def needs(reciters: int, sessions_per_worker: float, costs: Costs) -> Needs:
    """`sessions_per_worker`: from the simulation or a measurement, for workers of one core (or one GPU)."""
    segments_per_s = reciters / SEGMENT_EVERY_S
    gateways = math.ceil(reciters * costs.gateway_cpu_per_session_s / GATEWAY_USE)
    stored = stored_bytes(reciters, costs) / 1e9
    # A segment goes in, its fresh part is stored on the way, and out; the rest is small beside it.
    redis_gb_s = 2 * segments_per_s * SEGMENT_BYTES / 1e9
    bounds = {
        "CPU": segments_per_s * costs.redis_cpu_per_segment_s / REDIS_USE,
        "memory": stored / REDIS_MEMORY_GB,
        "network": redis_gb_s / REDIS_NETWORK_GB_S,
    }
    bound = max(bounds, key=lambda name: bounds[name])
    workers = math.ceil(reciters / max(1.0, sessions_per_worker))
    return Needs(
        reciters=reciters,
        segments_per_s=segments_per_s,
        gateways=gateways,
        gateway_gb=reciters * costs.gateway_kb_per_session / 1e6 + 0.1 * gateways,
        redis_shards=max(1, math.ceil(bounds[bound])),
        redis_bound=bound,
        redis_gb=stored,
        workers=workers,
        worker_gb=workers * costs.worker_mb / 1000,
        client_gb_s=reciters * (PCM_BYTES_PER_S + EVENT_BYTES_PER_S) / 1e9,
        redis_gb_s=redis_gb_s,
    )
