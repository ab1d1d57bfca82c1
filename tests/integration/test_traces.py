"""One trace for each segment: a gateway and a worker on real Redis, spans kept in memory.

Gateway and worker have a provider of their own each, as the two processes they are in life: what joins their
spans is what travelled through Redis.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.scripted import HAFS_SOUNDS, ScriptedEngine, speak
from asr_worker.metrics import WorkerMetrics
from asr_worker.worker import Worker
from cli.ports import free_port
from gateway.admission.router_client import OpenAdmission
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_feed import RedisResultFeed
from shared.bus.redis_queue import RedisWorkQueue
from shared.bus.redis_sessions import RedisSessionStore
from shared.clock import SystemClock
from shared.ids import PoolName, WorkerId
from shared.service.http_server import StartupFailed, served_beside
from shared.service.opentelemetry_tracing import OpenTelemetryTracing
from shared.service.tracing import Tracing, Untraced, open_tracing
from shared.service.tracing_settings import TracingSettings
from tests.unit.asr_worker.worker_harness import QUICK
from tests.unit.gateway.harness import Client, Gateway, ScriptedBatch, stop

PCM = speak([HAFS_SOUNDS[index % 40] for index in range(90)]).tobytes()
STAGES = {"segment", "push", "queued", "batch", "decode", "commit", "event"}
GATEWAY, WORKER = {"segment", "push", "event"}, {"queued", "batch", "decode", "commit"}


class Spans:
    """What both services have recorded."""

    def __init__(self, share: float = 1.0) -> None:
        self._exporters = {name: InMemorySpanExporter() for name in ("gateway", "asr_worker")}
        self.gateway, self.worker = (
            OpenTelemetryTracing(name, share, SimpleSpanProcessor(exporter))
            for name, exporter in self._exporters.items()
        )

    def all(self) -> list[ReadableSpan]:
        return [span for exporter in self._exporters.values() for span in exporter.get_finished_spans()]

    def names(self, service: str) -> set[str]:
        return {span.name for span in self._exporters[service].get_finished_spans()}

    def traces(self) -> dict[int, list[ReadableSpan]]:
        found: dict[int, list[ReadableSpan]] = defaultdict(list)
        for span in self.all():
            assert span.context is not None
            found[span.context.trace_id].append(span)
        return found


class Services:
    """Gateways and one worker with the scripted engine on one Redis."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url, self._stack = url, stack
        self.clients: list[Client] = []

    def gateway(self, tracing: Tracing) -> Gateway:
        connections = self._connections()
        feed = RedisResultFeed(connections)
        self._stack.push_async_callback(feed.close)
        made = Gateway(RedisSessionStore(connections), feed, ScriptedBatch(), OpenAdmission(), tracing)
        made.clients = self.clients
        return made

    def worker(self, tracing: Tracing) -> None:
        clock = SystemClock()
        executor = EngineExecutor(ScriptedEngine(), clock)
        self._stack.callback(executor.close)
        queue = RedisWorkQueue(self._connections(), PoolName("default"), WorkerId("w1"))
        metrics = WorkerMetrics(CollectorRegistry())
        worker = Worker(WorkerId("w1"), queue, executor, QUICK, metrics, clock, tracing)
        working = asyncio.create_task(worker.run(asyncio.Event()), name="worker")
        self._stack.push_async_callback(stop, [working])

    def _connections(self) -> RedisConnections:
        connections = RedisConnections(self._url)
        self._stack.push_async_callback(connections.close)
        return connections


@asynccontextmanager
async def services(url: str) -> AsyncIterator[Services]:
    async with AsyncExitStack() as stack:
        made = Services(url, stack)
        try:
            yield made
        finally:
            await stop([client.task for client in made.clients])


async def recited(client: Client) -> None:
    """From the first sample to the report."""
    ready = await client.until("ready")
    await client.stream(PCM[ready["offset"] * 2 :])
    await client.send("end")
    assert (await client.rest()).code == 1000


async def test_each_segment_is_one_trace_from_cut_to_event(redis_url: str) -> None:
    spans = Spans()
    async with services(redis_url) as running:
        running.worker(spans.worker)
        client = running.gateway(spans.gateway).connect()
        await recited(client)
    traces = spans.traces()
    assert len(traces) == len(client.seqs) > 2
    assert spans.names("gateway") == GATEWAY
    assert spans.names("asr_worker") == WORKER
    for trace in traces.values():
        assert sorted(span.name for span in trace) == sorted(STAGES)
        root = next(span for span in trace if span.parent is None)
        assert root.name == "segment"
        assert root.context is not None
        assert {span.parent.span_id for span in trace if span.parent} == {root.context.span_id}
        assert all(span.start_time <= span.end_time for span in trace)  # type: ignore[operator]
    roots = [span for span in spans.all() if span.name == "segment"]
    assert {dict(span.attributes or {})["seq"] for span in roots} == set(client.seqs)


async def test_a_trace_does_not_tell_whose_session_it_is(redis_url: str) -> None:
    spans = Spans()
    async with services(redis_url) as running:
        running.worker(spans.worker)
        client = running.gateway(spans.gateway).connect()
        await recited(client)
    session_id = client.of("ready")[0]["session_id"]
    assert session_id not in "".join(span.to_json() for span in spans.all())


async def test_a_session_that_moves_keeps_the_traces_of_its_segments(redis_url: str) -> None:
    """Pushed by one gateway, decoded after it has gone, shown by the next one."""
    spans = Spans()
    async with services(redis_url) as running:
        first = running.gateway(spans.gateway).connect()
        ready = await first.until("ready")
        await first.stream(PCM[: 16_000 * 2 * 3])
        await first.until("ack")
        await first.leave()
        running.worker(spans.worker)
        second = running.gateway(spans.gateway).connect(session_id=ready["session_id"], last_seq=-1)
        await recited(second)
    moved = [trace for trace in spans.traces().values() if any(ended_early(span) for span in trace)]
    assert len(moved) >= 1
    for trace in moved:
        assert {span.name for span in trace} == STAGES


def ended_early(span: ReadableSpan) -> bool:
    return dict(span.attributes or {}).get("outcome") == "connection_ended"


async def test_what_is_not_sampled_leaves_nothing(redis_url: str) -> None:
    spans = Spans(share=0.0)
    async with services(redis_url) as running:
        running.worker(spans.worker)
        await recited(running.gateway(spans.gateway).connect())
    assert spans.all() == []


async def test_the_latency_histogram_names_the_trace(redis_url: str) -> None:
    spans = Spans()
    async with services(redis_url) as running:
        running.worker(spans.worker)
        gateway = running.gateway(spans.gateway)
        await recited(gateway.connect())
        transport = httpx.ASGITransport(app=gateway.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            accept = {"Accept": "application/openmetrics-text"}
            exposition = (await http.get("/metrics", headers=accept)).text
    named = set(re.findall(r'otel_trace_id="([0-9a-f]{32})"', exposition))
    assert named
    assert named <= {f"{trace_id:032x}" for trace_id in spans.traces()}


async def test_off_is_off_and_without_the_packages_it_cannot_be_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_tracing("gateway", TracingSettings(tracing_endpoint="")) as tracing:
        assert isinstance(tracing, Untraced)
    monkeypatch.setitem(sys.modules, "shared.service.opentelemetry_tracing", None)
    settings = TracingSettings(tracing_endpoint="http://127.0.0.1:4318")
    with pytest.raises(StartupFailed, match=r"'\.\[otel\]'"):
        async with open_tracing("gateway", settings):
            pass


def test_no_service_imports_opentelemetry_when_it_is_off() -> None:
    program = (
        "import sys, gateway.__main__, asr_worker.__main__;"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


async def test_spans_reach_an_otlp_receiver_over_http() -> None:
    """What is set by OTEL_EXPORTER_OTLP_ENDPOINT: the bytes arrive at /v1/traces when the service stops."""
    got: list[tuple[str, bytes]] = []

    async def receive(request: Request) -> Response:
        got.append((request.url.path, await request.body()))
        return Response(b"", media_type="application/x-protobuf")

    async with served(Starlette(routes=[Route("/v1/traces", receive, methods=["POST"])])) as url:
        settings = TracingSettings(tracing_endpoint=url, trace_share=1)
        async with open_tracing("gateway", settings) as tracing:
            span = tracing.begin("segment", seq=0)
            assert span is not None
            tracing.record("push", span.traceparent, tracing.now_ns(), tracing.now_ns())
            span.end()
    assert [path for path, _ in got] == ["/v1/traces"]
    assert b"rattil-gateway" in got[0][1]
    assert b"segment" in got[0][1]


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    port = free_port()
    async with served_beside(app, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}"
