"""Where a worker is put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from asr_worker.batching.executor import EngineExecutor
from asr_worker.capacity.calibration import measure_cost
from asr_worker.capacity.estimator import BatchCost, CapacityModel
from asr_worker.capacity.heartbeat import Heartbeat, RedisRegistration, Registration
from asr_worker.capacity.status import CapacityMeter, Standing, capacity_policy, new_worker_id
from asr_worker.engines.engine import Engine
from asr_worker.http import build_http
from asr_worker.metrics import WorkerMetrics
from asr_worker.offline.arq_jobs import JobPolicy, OfflineJobs
from asr_worker.offline.enhance import Enhancer
from asr_worker.offline.transcribe import Transcriber
from asr_worker.offline.uploads import RedisUploads
from asr_worker.offline.verify import Verifier
from asr_worker.settings import WorkerSettings
from asr_worker.speakers.diarizer import Diarizer
from asr_worker.speakers.encoder import open_encoder
from asr_worker.worker import Worker, WorkerPolicy
from shared.bus.metrics import BusMetrics
from shared.bus.ports import WorkQueue
from shared.bus.redis_connections import ConnectionLimits, RedisConnections, open_client
from shared.bus.redis_queue import RedisWorkQueue
from shared.bus.redis_sessions import RedisSessionStore
from shared.bus.redis_suitability import require_suitable
from shared.clock import Clock, SystemClock
from shared.enhancement.store import open_store
from shared.ids import PoolName, WorkerId
from shared.service.garbage_collector import tidied
from shared.service.http_server import serve
from shared.service.logging import get_logger
from shared.service.metrics import create_registry
from shared.service.tracing import Tracing, open_tracing

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """A worker's long-running parts, and what they share."""

    worker: Worker
    heartbeat: Heartbeat
    jobs: OfflineJobs | None
    standing: Standing
    metrics: WorkerMetrics


def build_worker(
    settings: WorkerSettings,
    standing: Standing,
    queue: WorkQueue,
    registration: Registration,
    executor: EngineExecutor,
    metrics: WorkerMetrics,
    clock: Clock,
    tracing: Tracing | None = None,
) -> tuple[Worker, Heartbeat]:
    """The worker and its heartbeat on any bus."""
    worker = Worker(standing.worker_id, queue, executor, _policy(settings), metrics, clock, tracing)
    heartbeat = Heartbeat(registration, standing.report, metrics, clock, settings.heartbeat_s)
    standing.worker, standing.heartbeat, standing.metrics = worker, heartbeat, metrics
    return worker, heartbeat


@asynccontextmanager
async def redis_worker(
    settings: WorkerSettings, executor: EngineExecutor, tracing: Tracing | None = None
) -> AsyncIterator[Parts]:
    """A worker on the Redis its settings name; closes its connections at the end."""
    clock = SystemClock()
    limits = settings.bus_limits()
    worker_id = WorkerId(settings.worker_id) if settings.worker_id else new_worker_id()
    standing = Standing(settings, worker_id, executor.capabilities, clock)
    connection_limits = ConnectionLimits(max_connections=settings.redis_max_connections)
    connections = RedisConnections(settings.redis_url, connection_limits)
    control = open_client(settings.control_url, ConnectionLimits(max_connections=4))
    metrics = WorkerMetrics(create_registry())
    bus_metrics = BusMetrics(metrics.registry)
    try:
        await require_suitable(connections, control)
        queue = RedisWorkQueue(connections, PoolName(settings.pool), worker_id, limits, bus_metrics)
        worker, heartbeat = build_worker(
            settings, standing, queue, RedisRegistration(control), executor, metrics, clock, tracing
        )
        jobs = None
        if settings.jobs:
            store = RedisSessionStore(connections, limits, bus_metrics)
            uploads = RedisUploads(control)
            verifier = Verifier(executor, store, uploads, clock, settings.job_batch)
            encoder = open_encoder(settings.speaker_model)
            who_speaks = None if encoder is None else Diarizer(encoder).turns
            transcriber = Transcriber(executor, uploads, settings.job_batch, who_speaks=who_speaks)
            policy = _job_policy(settings)
            enhancer = None
            if settings.recordings_url:
                model = executor.capabilities.model_version
                kept = open_store(settings.recordings_url)
                enhancer = Enhancer(kept, transcriber.hear, verifier.judge, model, clock)
            jobs = OfflineJobs(settings.control_url, verifier, transcriber, policy, metrics, clock, enhancer)
        yield Parts(worker, heartbeat, jobs, standing, metrics)
    finally:
        await connections.close()
        await control.aclose(close_connection_pool=True)


async def run_worker(settings: WorkerSettings, engine: Engine) -> None:
    """Serve until a signal, drain, and return. A failing part ends the whole worker."""
    clock = SystemClock()
    executor = EngineExecutor(engine, clock)
    try:
        meter = await measured_capacity(settings, executor, clock)
        async with (
            open_tracing("asr_worker", settings) as tracing,
            redis_worker(settings, executor, tracing) as parts,
        ):
            parts.standing.meter = meter
            parts.metrics.watch(meter)
            async with tidied():
                await _run(settings, parts)
    finally:
        executor.close()


async def measured_capacity(
    settings: WorkerSettings, executor: EngineExecutor, clock: Clock
) -> CapacityMeter:
    """A meter with its first guess, from a few batches through the executor."""
    policy = capacity_policy(settings, executor.capabilities.device)
    if settings.engine == "scripted":
        cost = BatchCost(settings.scripted_delay_ms, 0.05)  # it says itself how long a batch takes
    else:
        cost = await measure_cost(executor, policy, clock)
    return CapacityMeter(CapacityModel(policy, cost, clock.monotonic()), clock)


async def _run(settings: WorkerSettings, parts: Parts) -> None:
    stop, beating_stop = asyncio.Event(), asyncio.Event()

    async with asyncio.TaskGroup() as group:
        beating = group.create_task(parts.heartbeat.run(beating_stop), name="heartbeat")
        work = [group.create_task(parts.worker.run(stop), name="worker")]
        if parts.jobs:
            work.append(group.create_task(parts.jobs.run(stop), name="offline-jobs"))

        async def drain() -> None:
            parts.standing.draining = True
            await parts.heartbeat.beat()
            stop.set()
            await asyncio.wait(work)
            beating_stop.set()
            await asyncio.wait([beating])
            await parts.heartbeat.withdraw(parts.standing.worker_id)

        await serve(
            build_http(parts.standing, parts.metrics.registry),
            settings.http_host,
            settings.http_port,
            on_drain=drain,
            limits=settings.http_limits(),
            registry=parts.metrics.registry,
            ready=lambda port: _log.info(
                "worker_started", host=settings.http_host, port=port, **parts.standing.describe()
            ),
        )
        # After a second signal the drain was cut short: what is left is cancelled, not awaited.
        for task in (*work, beating):
            task.cancel()


def _policy(settings: WorkerSettings) -> WorkerPolicy:
    return WorkerPolicy(
        max_batch=settings.max_batch,
        max_in_flight=settings.max_in_flight,
        max_wait_s=settings.max_wait_ms / 1000,
        prepare_ahead=settings.prepare_ahead,
        claim_block_ms=settings.claim_block_ms,
        reclaim_ms=settings.reclaim_ms,
        reclaim_every_s=settings.reclaim_every_ms / 1000,
        max_deliveries=settings.max_deliveries,
        drop_expired=settings.drop_expired,
        stuck_s=settings.stuck_s,
        drain_timeout_s=settings.drain_timeout_s,
    )


def _job_policy(settings: WorkerSettings) -> JobPolicy:
    return JobPolicy(
        settings.max_jobs,
        settings.job_timeout_s,
        settings.job_poll_s,
        settings.drain_timeout_s,
        pool=PoolName(settings.pool),
    )
