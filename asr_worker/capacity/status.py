"""Who a worker is, how it stands and what it can take: for the registry and for the probes."""

from __future__ import annotations

import socket
from importlib.metadata import version

from asr_worker.capacity.estimator import Assessment, CapacityModel, CapacityPolicy
from asr_worker.capacity.heartbeat import Heartbeat, resident_mb
from asr_worker.engines.engine import EngineCapabilities
from asr_worker.engines.loading import engine_threads
from asr_worker.metrics import WorkerMetrics
from asr_worker.settings import WorkerSettings
from asr_worker.worker import Worker
from shared.clock import Clock
from shared.ids import PoolName, WorkerId, new_connection_id
from shared.protocol.workers import WorkerReport, WorkerStatus

SESSIONS_PER_CPU_THREAD = 50
"""Fixed capacity by default: a session sends a segment every 2 s, which costs 5 to 10 ms of one core with the
bundled model, so 50 take an eighth to a quarter of it; the rest is for bursts and for the neighbours."""
SESSIONS_PER_GPU = 400
MOST_SESSIONS = 20_000
"""Nobody offers more: an engine that takes no time would promise millions."""
START_SHARE_CPU = 0.3
"""Share of what the engine alone could do that is offered before there is experience. On a CPU, gateway,
Redis and this process's own work take about as much of the cores as the engine does with the bundled
model (`rattil bench serve`: 5.6 ms of CPU per session and second, 1.8 of them in the engine)."""
START_SHARE_GPU = 0.5
BUSY_WAITING_BATCHES = 1
"""More than so many full batches waiting, and the worker reports busy."""


class CapacityMeter:
    """The capacity model with a clock; what `WorkerMetrics` tells about batches and answers goes here."""

    def __init__(self, model: CapacityModel, clock: Clock) -> None:
        self._model = model
        self._clock = clock

    def decoded(self, segments: int, audio_s: float, engine_ms: float) -> None:
        self._model.decoded(segments, audio_s, engine_ms)

    def answered(self, queued_ms: float, worked_ms: float) -> None:
        self._model.answered(self._clock.monotonic(), queued_ms, worked_ms)

    def assess(self, leased: int) -> Assessment:
        """See `CapacityModel.assess`."""
        return self._model.assess(self._clock.monotonic(), leased)


class Standing:
    """One worker's condition; its parts are set when they have been built."""

    def __init__(
        self, settings: WorkerSettings, worker_id: WorkerId, engine: EngineCapabilities, clock: Clock
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._started_ms = clock.wall_ms()
        self.worker_id = worker_id
        self.draining = False
        self.worker: Worker | None = None
        self.heartbeat: Heartbeat | None = None
        self.metrics: WorkerMetrics | None = None
        self.meter: CapacityMeter | None = None

    @property
    def stuck(self) -> bool:
        return self.worker is not None and self.worker.stuck

    @property
    def ready(self) -> bool:
        reported = self.heartbeat is not None and self.heartbeat.arrived
        return reported and not self.draining and not self.stuck

    def describe(self) -> dict[str, object]:
        return {
            "worker_id": self.worker_id,
            "pool": self._settings.pool,
            "model": self._engine.model,
            "model_version": self._engine.version,
            "device": self._engine.device,
            "compute_type": self._engine.compute_type,
            "in_flight": self.worker.in_flight if self.worker else 0,
            "draining": self.draining,
        }

    def report(self, segments_per_s: float) -> WorkerReport:
        """One heartbeat's report."""
        found = self._assess()
        return WorkerReport(
            worker_id=self.worker_id,
            pool=PoolName(self._settings.pool),
            status=self._status(),
            capacity=found.sessions,
            active=self.worker.sessions if self.worker else 0,
            models=(self._engine.model_version,),
            device=self._engine.device,
            compute_type=self._engine.compute_type,
            memory_mb=resident_mb(),
            segments_per_s=segments_per_s,
            service_rate=round(found.service_rate, 1),
            latency_p95_ms=round(found.p95_ms, 1),
            failures=self.metrics.failures if self.metrics else 0,
            queue_depth=self.worker.waiting if self.worker else 0,
            started_ms=self._started_ms,
            version=version("rattil"),
        )

    def _assess(self) -> Assessment:
        """What is measured, or what was set where it counts more."""
        fixed = fixed_capacity(self._settings, self._engine.device)
        if self.meter is None:
            return Assessment(fixed, 0.0, 0.0, 0.0)
        found = self.meter.assess(self.heartbeat.leased if self.heartbeat else 0)
        if self.metrics is not None:
            self.metrics.engine_busy.set(found.busy)
        return found if self._settings.capacity == "measured" else found._replace(sessions=fixed)

    def _status(self) -> WorkerStatus:
        if self.draining or self.stuck:
            return "draining"
        waiting = self.worker.waiting if self.worker else 0
        return "busy" if waiting > BUSY_WAITING_BATCHES * self._settings.max_batch else "ready"


def capacity_policy(settings: WorkerSettings, device: str) -> CapacityPolicy:
    """The part of the settings that the capacity model needs."""
    return CapacityPolicy(
        target_ms=settings.target_latency_ms,
        max_batch=settings.max_batch,
        window_s=settings.window_s,
        overlap_s=settings.overlap_s,
        min_sessions=min(settings.min_sessions, settings.max_sessions or settings.min_sessions),
        max_sessions=settings.max_sessions or MOST_SESSIONS,
        start_share=START_SHARE_GPU if device == "cuda" else START_SHARE_CPU,
    )


def fixed_capacity(settings: WorkerSettings, device: str) -> int:
    """Live sessions without any measurement: as set, or by device and CPU threads."""
    if settings.max_sessions:
        return settings.max_sessions
    if device == "cuda":
        return SESSIONS_PER_GPU
    return SESSIONS_PER_CPU_THREAD * engine_threads(settings.threads)


def new_worker_id() -> WorkerId:
    """Host name and random bits: a restarted worker is a new one, the old one's segments are reclaimed."""
    host = "".join(char if char.isalnum() or char in "-." else "-" for char in socket.gethostname())
    return WorkerId(f"{host[:48]}-{new_connection_id()[:8]}")
