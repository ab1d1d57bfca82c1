"""Prometheus, the same in every service: a registry, its exposition, and the buckets all agree on."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

LATENCY_BUCKETS_MS = (5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 800, 1_200, 2_000, 3_500, 5_000, 10_000)
"""Upper bounds in ms for queued, batch, inference and total time. 300 and 800 are the thresholds of
the adaptive window, so their shares can be read off; 5 s is the longest window."""

BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)

CONTENT_TYPE = CONTENT_TYPE_LATEST


def create_registry() -> CollectorRegistry:
    """A registry of one service, with the standard `process_*` and `python_*` metrics."""
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The text that `GET /metrics` answers, to be sent as `CONTENT_TYPE`."""
    return generate_latest(registry)


def latency_histogram(
    registry: CollectorRegistry, name: str, description: str, labels: Sequence[str] = ()
) -> Histogram:
    """A histogram of times in ms; `name` should end in `_ms`."""
    return Histogram(name, description, labels, buckets=LATENCY_BUCKETS_MS, registry=registry)
