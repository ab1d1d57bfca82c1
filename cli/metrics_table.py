"""Writes docs/metrics.md from the metrics classes: `python -m cli.metrics_table`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from asr_worker.metrics import WorkerMetrics
from gateway.metrics import GatewayMetrics
from session_router.metrics import RouterMetrics
from shared.bus.metrics import BusMetrics
from shared.service.http_limits import HttpMetrics
from shared.service.latency_histogram import LatencyHistogram

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"

INTRODUCTION = """\
# Metrics

Written by `make settings` from the metrics classes; a test compares. Times are in seconds, sizes in
bytes. Each service also has the `process_*` and `python_*` metrics of its process. Ask with
`Accept: application/openmetrics-text` to get exemplars: on `rattil_gateway_latency_seconds{stage="total"}`,
from 0.25 s on, the `trace_id` of a segment, as it is in the [logs](architecture.md#following-one-segment),
and of every traced segment the `otel_trace_id`.

Dashboards, alerts and their runbooks: [operations.md](operations.md).
"""


class Family(NamedTuple):
    """One metric as Prometheus knows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str


def registries() -> dict[str, CollectorRegistry]:
    """Service to a registry with all metrics that it has, none of them ever used."""
    gateway, worker, router = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
    for registry in (gateway, worker):
        BusMetrics(registry)
    for registry in (gateway, worker, router):
        HttpMetrics(registry)
    GatewayMetrics(gateway)
    WorkerMetrics(worker)
    RouterMetrics(router)
    return {"Gateway": gateway, "Worker": worker, "Session router": router}


def families(registry: CollectorRegistry) -> Iterator[Family]:
    """What a registry holds, by name, without what the library itself adds."""
    found = []
    for collector in set(registry._names_to_collectors.values()):
        if isinstance(collector, LatencyHistogram):
            labels = collector.label_names
        elif isinstance(collector, MetricWrapperBase):
            labels = tuple(collector._labelnames)  # in no public place of the library
        else:
            continue
        for metric in collector.describe():
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            found.append(Family(name, metric.type, labels, metric.documentation))
    yield from sorted(found)


def metrics_page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for title, registry in registries().items():
        lines = [f"## {title}", "", "| metric | type | labels | what it says |", "|---|---|---|---|"]
        lines += [
            f"| `{found.name}` | {found.kind} | {', '.join(found.labels)} | {found.description} |"
            for found in families(registry)
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def main() -> None:
    PAGE.write_text(metrics_page(), encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
