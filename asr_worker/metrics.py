"""What a worker tells Prometheus."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.protocol.segments import SegmentResult
from shared.service.metrics import BATCH_SIZE_BUCKETS, latency_histogram


class LoadObserver(Protocol):
    """Wants to know of every batch and every answer, e.g. to measure the capacity."""

    def decoded(self, segments: int, audio_s: float, engine_ms: float) -> None: ...

    def answered(self, queued_ms: float, worked_ms: float) -> None: ...


class WorkerMetrics:
    """Counters and histograms of one worker process; names start with `rattil_worker_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.outcomes = Counter(
            "rattil_worker_segments",
            "Segments answered, by outcome and code.",
            ["outcome", "code"],
            registry=registry,
        )
        for outcome, code in (("result", ""), ("dropped", "poison"), ("dropped", "expired")):
            self.outcomes.labels(outcome, code)
        self.duplicates = Counter(
            "rattil_worker_duplicate_commits",
            "Results that were not needed: another was first, or the session was gone.",
            registry=registry,
        )
        self.batch_size = Histogram(
            "rattil_worker_batch_size",
            "Segments decoded together.",
            buckets=BATCH_SIZE_BUCKETS,
            registry=registry,
        )
        self.queued = latency_histogram(
            registry, "rattil_worker_queued_seconds", "From the gateway's push to the worker's claim."
        )
        self.batched = latency_histogram(
            registry, "rattil_worker_batching_seconds", "From the claim to the start of decoding."
        )
        self.inference = latency_histogram(
            registry, "rattil_worker_inference_seconds", "Engine time of one batch."
        )
        self.audio = Counter("rattil_worker_audio_seconds", "Audio decoded, s.", registry=registry)
        self.busy = Counter("rattil_worker_engine_seconds", "Engine time spent, s.", registry=registry)
        self.reclaimed = Counter(
            "rattil_worker_reclaimed_segments", "Segments taken over from other workers.", registry=registry
        )
        self.bus_errors = Counter(
            "rattil_worker_bus_errors",
            "Calls to Redis that failed, by what they did.",
            ["call"],
            registry=registry,
        )
        self.jobs = Counter(
            "rattil_worker_jobs", "Verify jobs, by how they ended.", ["code"], registry=registry
        )
        self.job = latency_histogram(registry, "rattil_worker_job_seconds", "Time of one verify job.")
        self.in_flight = Gauge(
            "rattil_worker_in_flight_segments", "Segments taken and not yet answered.", registry=registry
        )
        self.capacity = Gauge("rattil_worker_capacity_sessions", "Live sessions reported.", registry=registry)
        self.service_rate = Gauge(
            "rattil_worker_service_rate_segments",
            "Segments per second the engine could decode in full batches.",
            registry=registry,
        )
        self.latency_p95 = Gauge(
            "rattil_worker_latency_p95_seconds",
            "95th percentile of the last seconds from push to result; 0: too few segments to tell.",
            registry=registry,
        )
        self.engine_busy = Gauge(
            "rattil_worker_engine_busy_ratio",
            "Share of its time the engine decodes live segments.",
            registry=registry,
        )
        self.ready = Gauge("rattil_worker_ready", "1 while the worker takes segments.", registry=registry)
        self.answered = 0
        self.failures = 0
        self._observer: LoadObserver | None = None

    def watch(self, observer: LoadObserver) -> None:
        """Tell this one of every batch and answer from now on."""
        self._observer = observer

    def committed(self, result: SegmentResult) -> None:
        """Count one answered segment. Times are of the result's stages."""
        self.answered += 1
        self.failures += result.outcome == "error"
        self.outcomes.labels(result.outcome, result.code).inc()
        self.queued.observe(result.timings.queued_ms / 1000)
        if result.outcome == "result":
            self.batched.observe(result.timings.batch_ms / 1000)
            if self._observer is not None:
                timings = result.timings
                self._observer.answered(timings.queued_ms, timings.batch_ms + timings.inference_ms)

    def decoded(self, size: int, audio_s: float, inference_ms: int) -> None:
        """Count one batch."""
        self.batch_size.observe(size)
        self.inference.observe(inference_ms / 1000)
        self.audio.inc(audio_s)
        self.busy.inc(inference_ms / 1000)
        if self._observer is not None:
            self._observer.decoded(size, audio_s, inference_ms)
