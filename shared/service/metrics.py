"""Prometheus, the same in every service: a registry, its exposition, and the buckets all agree on."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder, generate_latest

from shared.service.latency_histogram import LatencyHistogram

LATENCY_BUCKETS_S = (
    *(0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3),
    *(0.4, 0.45, 0.5, 0.55, 0.6, 0.8, 1.2, 2.0, 3.5, 5.0, 10.0),
)
"""Upper bounds in seconds of every latency. 0.3 and 0.8 are the thresholds of the adaptive window, so
that their shares can be read off; around the target of 0.5 they are close; 5 is the longest window."""

WORD_BUCKETS_S = (
    *(0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5),
    *(1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 7.5, 10.0),
)
"""Upper bounds in seconds of the time from a word to what is said of it: close around the target of 0.5, and
up to two windows of the longest kind."""

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


def negotiated(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The answer to `GET /metrics` and its content type: OpenMetrics, with exemplars, for who accepts it."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def latency_histogram(
    registry: CollectorRegistry,
    name: str,
    description: str,
    labels: Sequence[str] = (),
    buckets_s: Sequence[float] = LATENCY_BUCKETS_S,
) -> LatencyHistogram:
    """A histogram of times in seconds; `name` must end in `_seconds`."""
    if not name.endswith("_seconds"):
        raise ValueError(f"times are measured in seconds: {name} must end in _seconds")
    return LatencyHistogram(registry, name, description, labels, buckets_s)
