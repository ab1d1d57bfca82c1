"""Heartbeats, probes, capacity and settings of a worker."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from starlette.testclient import TestClient

from asr_worker.__main__ import main
from asr_worker.app import build_worker, measured_capacity
from asr_worker.batching.executor import EngineExecutor
from asr_worker.capacity.estimator import BatchCost, CapacityModel
from asr_worker.capacity.heartbeat import Heartbeat
from asr_worker.capacity.status import (
    SESSIONS_PER_CPU_THREAD,
    SESSIONS_PER_GPU,
    CapacityMeter,
    Standing,
    capacity_policy,
    fixed_capacity,
    new_worker_id,
)
from asr_worker.engines.scripted import ScriptedEngine
from asr_worker.http import build_http
from asr_worker.metrics import WorkerMetrics
from asr_worker.settings import WorkerSettings
from shared.clock import ManualClock
from shared.errors import BusUnavailable
from shared.ids import ConnectionId, Epoch, PoolName, SessionId, TraceId, WorkerId
from shared.protocol.segments import Outcome, SegmentResult, StageTimings
from shared.protocol.workers import WorkerReport
from tests.memory.bus_state import MemoryBus
from tests.memory.work_queue import MemoryWorkQueue


class _Registry:
    """Remembers reports; can be away."""

    def __init__(self) -> None:
        self.reports: list[tuple[WorkerReport, float]] = []
        self.withdrawn: list[WorkerId] = []
        self.leased = 0
        self.away = False

    async def publish(self, report: WorkerReport, ttl_s: float) -> int:
        if self.away:
            raise BusUnavailable("away")
        self.reports.append((report, ttl_s))
        return self.leased

    async def withdraw(self, worker_id: WorkerId) -> None:
        if self.away:
            raise BusUnavailable("away")
        self.withdrawn.append(worker_id)


class _Setup:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.settings = WorkerSettings(heartbeat_s=2.0, max_sessions=7)
        self.registry = _Registry()
        self.metrics = WorkerMetrics(CollectorRegistry())
        executor = EngineExecutor(ScriptedEngine(), self.clock)
        worker_id = WorkerId("w1")
        self.standing = Standing(self.settings, worker_id, executor.capabilities, self.clock)
        queue = MemoryWorkQueue(MemoryBus(self.clock), PoolName("default"), worker_id)
        self.worker, self.heartbeat = build_worker(
            self.settings, self.standing, queue, self.registry, executor, self.metrics, self.clock
        )

    def probe(self, path: str) -> int:
        with TestClient(build_http(self.standing, self.metrics.registry)) as client:
            return client.get(path).status_code


@pytest.fixture
def setup() -> _Setup:
    return _Setup()


async def test_a_report_says_who_and_how_much(setup: _Setup) -> None:
    await setup.heartbeat.beat()
    setup.clock.advance(2.0)
    setup.metrics.answered += 10
    await setup.heartbeat.beat()
    report, ttl_s = setup.registry.reports[-1]
    assert (report.worker_id, report.pool, report.status, report.capacity) == ("w1", "default", "ready", 7)
    assert report.segments_per_s == 5.0
    assert report.models == ("scripted@1",)
    assert ttl_s == 6.0


async def test_ready_means_reported_and_not_draining(setup: _Setup) -> None:
    assert setup.probe("/ready") == 503
    await setup.heartbeat.beat()
    assert setup.probe("/ready") == 200
    setup.registry.away = True
    await setup.heartbeat.beat()
    assert setup.probe("/ready") == 503
    setup.registry.away = False
    setup.standing.draining = True
    await setup.heartbeat.beat()
    assert setup.registry.reports[-1][0].status == "draining"
    assert setup.probe("/ready") == 503
    assert setup.probe("/health") == 200


async def test_metrics_are_exposed(setup: _Setup) -> None:
    with TestClient(build_http(setup.standing, setup.metrics.registry)) as client:
        text = client.get("/metrics").text
    assert "rattil_worker_batch_size_bucket" in text
    assert "rattil_worker_segments" in text


async def test_beats_go_on_until_stopped_even_when_the_registry_is_away(setup: _Setup) -> None:
    setup.registry.away = True
    heartbeat = Heartbeat(setup.registry, setup.standing.report, setup.metrics, setup.clock, every_s=0.005)
    stop = asyncio.Event()
    beating = asyncio.create_task(heartbeat.run(stop))
    await asyncio.sleep(0.02)
    setup.registry.away = False
    async with asyncio.timeout(5):
        while not setup.registry.reports:  # noqa: ASYNC110 - the condition is not ours to signal
            await asyncio.sleep(0.002)
    stop.set()
    await beating
    await heartbeat.withdraw(WorkerId("w1"))
    assert setup.registry.withdrawn == ["w1"]


def test_failures_are_counted_by_outcome(setup: _Setup) -> None:
    result = SegmentResult(
        SessionId("s"), ConnectionId("c"), Epoch("e"), 0, 0, 1, TraceId("t"), "error", "asr_failed"
    )
    setup.metrics.committed(result)
    assert (setup.metrics.answered, setup.metrics.failures) == (1, 1)


def test_fixed_capacity_by_device_and_threads() -> None:
    assert fixed_capacity(WorkerSettings(max_sessions=3), "cpu") == 3
    assert fixed_capacity(WorkerSettings(threads=2), "cpu") == 2 * SESSIONS_PER_CPU_THREAD
    assert fixed_capacity(WorkerSettings(), "cpu") >= SESSIONS_PER_CPU_THREAD
    assert fixed_capacity(WorkerSettings(), "cuda") == SESSIONS_PER_GPU


def _measuring(setup: _Setup, settings: WorkerSettings) -> Standing:
    standing = Standing(settings, WorkerId("w1"), ScriptedEngine().capabilities, setup.clock)
    policy = capacity_policy(settings, "cpu")
    model = CapacityModel(policy, BatchCost(2.0, 1.0), setup.clock.monotonic())
    standing.meter = CapacityMeter(model, setup.clock)
    setup.metrics.watch(standing.meter)
    standing.metrics = setup.metrics
    standing.heartbeat = Heartbeat(setup.registry, standing.report, setup.metrics, setup.clock, every_s=2)
    return standing


async def test_a_report_says_what_was_measured(setup: _Setup) -> None:
    standing = _measuring(setup, WorkerSettings())
    assert standing.heartbeat is not None
    setup.registry.leased = 40
    for _ in range(3):
        for _ in range(40):
            setup.metrics.decoded(1, 2.5, 5)
            setup.metrics.committed(_answer(StageTimings(queued_ms=2, batch_ms=7, inference_ms=5)))
        setup.clock.advance(2.0)
        await standing.heartbeat.beat()
    report, _ = setup.registry.reports[-1]
    assert standing.heartbeat.leased == 40
    assert report.capacity > 100
    assert report.service_rate > 300
    assert report.latency_p95_ms == 12.0
    exposed = generate_latest(setup.metrics.registry).decode()
    assert "rattil_worker_latency_p95_seconds 0.012" in exposed
    assert f"rattil_worker_service_rate_segments {report.service_rate}" in exposed
    assert f"rattil_worker_capacity_sessions {report.capacity:.1f}" in exposed


def test_what_is_set_counts_more_than_what_is_measured(setup: _Setup) -> None:
    assert _measuring(setup, WorkerSettings(max_sessions=5)).report(0.0).capacity == 5
    assert _measuring(setup, WorkerSettings(max_sessions=1)).report(0.0).capacity == 1
    assert _measuring(setup, WorkerSettings(max_sessions=9000)).report(0.0).capacity < 1000
    fixed = _measuring(setup, WorkerSettings(max_sessions=9000, capacity="fixed"))
    assert fixed.report(0.0).capacity == 9000
    assert fixed.report(0.0).service_rate > 0


def test_errors_and_drops_say_nothing_about_latency(setup: _Setup) -> None:
    standing = _measuring(setup, WorkerSettings())
    for _ in range(50):
        setup.metrics.committed(_answer(StageTimings(queued_ms=90_000), "dropped"))
    setup.clock.advance(2.0)
    assert standing.report(0.0).latency_p95_ms == 0.0


async def test_the_scripted_engine_is_believed_not_measured() -> None:
    clock = ManualClock()
    executor = EngineExecutor(ScriptedEngine(), clock)
    slow = WorkerSettings(engine="scripted", scripted_delay_ms=60_000)
    quick = WorkerSettings(engine="scripted")
    assert (await measured_capacity(slow, executor, clock)).assess(0).sessions == slow.min_sessions
    assert (await measured_capacity(quick, executor, clock)).assess(0).sessions > 1000


def _answer(timings: StageTimings, outcome: Outcome = "result") -> SegmentResult:
    return SegmentResult(
        SessionId("s"),
        ConnectionId("c"),
        Epoch("e"),
        0,
        0,
        1,
        TraceId("t"),
        outcome,
        timings=timings,
    )


def test_every_process_is_a_new_worker() -> None:
    assert new_worker_id() != new_worker_id()


def test_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ASR_MODEL": "small",
        "ASR_MAX_BATCH": "8",
        "ASR_POOL": "large",
        "REDIS_URL": "redis://a,redis://b",
        "CONTROL_REDIS_URL": "",
    }.items():
        monkeypatch.setenv(name, value)
    settings = WorkerSettings()
    assert (settings.model, settings.max_batch, settings.pool) == ("small", 8, "large")
    assert settings.control_url == "redis://a"


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for name in ("ASR_MODEL", "ASR_MAX_BATCH", "REDIS_URL", "WORKER_HTTP_PORT"):
        assert name in shown
    assert all(field.description for field in WorkerSettings.model_fields.values())


def test_a_missing_model_ends_with_a_sentence_and_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_MODEL", "/no/such/model")
    assert main([]) == 2
