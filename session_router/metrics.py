"""The router's own numbers, in a Prometheus registry of its own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from session_router.registry.registry import PoolCapacity, RefreshOutcome
from session_router.scaling.replicas import Backlog
from shared.ids import PoolName

ADMISSION_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30)


class RouterMetrics:
    """Counters count this router's doings; gauges of pools say the same on every router."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.admissions = Counter(
            "rattil_router_admissions", "Admission requests by how they ended", ["outcome"], registry=registry
        )
        self.admission_seconds = Histogram(
            "rattil_router_admission_seconds",
            "Time to an answer, waiting for a slot included",
            buckets=ADMISSION_BUCKETS_S,
            registry=registry,
        )
        self.renewals = Counter(
            "rattil_router_renewals",
            "Lease renewals by outcome (renewed; restored: was gone; taken: another holder has it)",
            ["outcome"],
            registry=registry,
        )
        self.releases = Counter(
            "rattil_router_releases",
            "Leases given back by their holders: freed, or kept for a client that may come back",
            ["how"],
            registry=registry,
        )
        self.waiting = Gauge(
            "rattil_router_waiting_sessions", "Sessions waiting for a slot in this router", registry=registry
        )
        self.workers_gone = Counter(
            "rattil_router_workers_gone", "Workers that died or left", ["how"], registry=registry
        )
        self.leases_reaped = Counter(
            "rattil_router_leases_reaped",
            "Leases moved to another worker, orphaned, adopted, or expired",
            ["how"],
            registry=registry,
        )
        self.unreadable_reports = Counter(
            "rattil_router_unreadable_reports", "Worker reports that could not be read", registry=registry
        )
        self.refresh_failures = Counter(
            "rattil_router_refresh_failures", "Refreshes that Redis did not allow", registry=registry
        )
        for outcome in ("leased", "no_capacity"):
            self.admissions.labels(outcome)
        for how in ("died", "left"):
            self.workers_gone.labels(how)
        self._pools = {
            name: Gauge(f"rattil_router_pool_{name}", text, ["pool"], registry=registry)
            for name, text in _POOL_GAUGES.items()
        }

    def count_refresh(self, outcome: RefreshOutcome) -> None:
        self.workers_gone.labels("died").inc(len(outcome.dead_workers))
        self.workers_gone.labels("left").inc(len(outcome.left_workers))
        for how in ("moved", "orphaned", "adopted", "expired"):
            self.leases_reaped.labels(how).inc(getattr(outcome, how))
        self.unreadable_reports.inc(outcome.unreadable)

    def show_pool(self, pool: PoolCapacity, backlog: Backlog, desired: int) -> None:
        values: Mapping[str, float] = {
            "workers": pool.workers,
            "draining_workers": pool.draining,
            "capacity_sessions": pool.capacity,
            "active_sessions": pool.active,
            "free_sessions": pool.free,
            "orphaned_sessions": pool.orphans,
            "utilisation_ratio": pool.active / pool.capacity if pool.capacity else 0.0,
            "service_rate_segments": pool.service_rate,
            "latency_p95_seconds": pool.latency_p95_ms / 1000,
            "backlog_segments": backlog.depth,
            "backlog_age_seconds": backlog.oldest_age_ms / 1000,
            "desired_replicas": desired,
        }
        for name, value in values.items():
            self._pools[name].labels(pool.pool).set(value)

    def forget_pool(self, pool: PoolName) -> None:
        for gauge in self._pools.values():
            gauge.remove(pool)


_POOL_GAUGES = {
    "workers": "Workers that take sessions",
    "draining_workers": "Workers that finish and leave",
    "capacity_sessions": "Session slots of the workers",
    "active_sessions": "Leased sessions, orphans included",
    "free_sessions": "Slots a new session could take",
    "orphaned_sessions": "Leased sessions without a worker",
    "utilisation_ratio": "Leased sessions as a share of the session slots; above 1 when capacity fell",
    "service_rate_segments": "Segments per second the workers could decode in full batches",
    "latency_p95_seconds": "95th percentile from push to result of the slowest worker",
    "backlog_segments": "Segments waiting or in work, all shards",
    "backlog_age_seconds": "Age of the oldest such segment",
    "desired_replicas": "Workers the pool should have",
}
