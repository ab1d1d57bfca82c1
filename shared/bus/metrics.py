"""What the Redis bus counts about itself; one object per process, on the service's own registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.service.metrics import latency_histogram


class BusMetrics:
    """`registry` None: counted, but not exposed (tests, scripts)."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.refused = Counter(
            "rattil_bus_pushes_refused",
            "Pushes that wrote nothing: full (stream bound), storage_full (memory of the shard), fenced, "
            "lost (no state), unavailable.",
            ["reason"],
            registry=registry,
        )
        for reason in ("full", "storage_full", "fenced", "lost", "unavailable"):
            self.refused.labels(reason)
        self.writes_waiting = Gauge(
            "rattil_bus_writes_waiting",
            "Script runs queued in this process for a shard (bound: PipelineLimits.max_waiting).",
            ["shard"],
            registry=registry,
        )
        self.script_seconds = latency_histogram(
            registry,
            "rattil_bus_script_seconds",
            "From the call of a script to the answer of Redis, its wait in this process included, by script.",
            ["script"],
        )
        self.channels = Gauge(
            "rattil_bus_channels", "Result channels followed on a shard.", ["shard"], registry=registry
        )
        self.feed_interruptions = Counter(
            "rattil_bus_feed_interruptions",
            "Times the results connection to a shard failed and was made anew.",
            ["shard"],
            registry=registry,
        )
        self.undecodable = Counter(
            "rattil_bus_undecodable",
            "Bus messages that could not be decoded: segment (buried) or result (read from the log).",
            ["what"],
            registry=registry,
        )
        self.unsuitable = Gauge(
            "rattil_bus_redis_unsuitable",
            "1 while a shard would evict keys or is a node of a cluster.",
            ["shard"],
            registry=registry,
        )
        self.memory_used = Gauge(
            "rattil_bus_redis_memory_used",
            "Used memory of a shard as a share of its maxmemory; 0 without a limit.",
            ["shard"],
            registry=registry,
        )
        self.evicted = Counter(
            "rattil_bus_redis_evicted_keys",
            "Keys a shard has thrown away at its memory limit since this process began to look.",
            ["shard"],
            registry=registry,
        )
