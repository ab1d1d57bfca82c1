"""`python -m gateway`: one gateway process, from settings to the last closed connection."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from gateway.admission.circuit import Circuit, CircuitPolicy
from gateway.admission.circuits import Circuits
from gateway.admission.lease_keeper import LeaseKeeper
from gateway.admission.pools import catalogue_of
from gateway.admission.quality import Quality
from gateway.admission.router_client import Admission, HttpAdmission, OpenAdmission
from gateway.app import build_admin, build_app, build_stream, build_whisperlive
from gateway.auth.api_keys import Authenticator
from gateway.connection.ended_connections import EndedConnections, relax_collector
from gateway.connection.registry import ConnectionRegistry
from gateway.connection.window_encoder import open_encoder
from gateway.dependencies import GatewayPorts
from gateway.enhancement.arq_queue import ArqEnhanceQueue
from gateway.enhancement.enhancements import Enhancements, Limits
from gateway.metrics import GatewayMetrics
from gateway.offline.arq_client import ArqVerifier
from gateway.offline.arq_transcriber import ArqTranscriber
from gateway.offline.upload_decoder import open_decoder
from gateway.settings import GatewaySettings
from gateway.transport.frame_limits import FrameLimits
from gateway.transport.uvicorn_frames import FrameProtocol
from gateway.usage.meter import UsageMeter
from gateway.usage.store import RedisUsage
from gateway.vad.silero import SileroDetector
from shared.bus.metrics import BusMetrics
from shared.bus.redis_addresses import parse_urls
from shared.bus.redis_connections import ConnectionLimits, RedisConnections, open_client
from shared.bus.redis_feed import RedisResultFeed
from shared.bus.redis_memory import MemoryWatch
from shared.bus.redis_sessions import RedisSessionStore
from shared.bus.redis_suitability import SuitabilityWatch, require_suitable
from shared.clock import SystemClock
from shared.enhancement.store import open_store
from shared.errors import UnsuitableRedis
from shared.service.http_limits import TooFewDescriptors
from shared.service.http_server import (
    OTHER_DESCRIPTORS,
    CannotListen,
    StartupFailed,
    WebSockets,
    run,
    serve,
    served_beside,
)
from shared.service.logging import configure_logging, get_logger
from shared.service.loopback import is_loopback
from shared.service.metrics import create_registry
from shared.service.running import running
from shared.service.settings_help import load_settings
from shared.service.tracing import open_tracing

_log = get_logger(__name__)

ABOUT = "The edge of Rattil: WebSocket recitation with word-by-word feedback, and the HTTP API."


def main(argv: list[str] | None = None) -> None:
    """Run until SIGTERM or SIGINT, then move all sessions away and stop."""
    settings = load_settings(GatewaySettings, sys.argv[1:] if argv is None else argv, "rattil gateway", ABOUT)
    configure_logging("gateway", settings.log_level, settings.log_format)
    try:
        run(_serve(settings))
    except (UnsuitableRedis, CannotListen, StartupFailed, TooFewDescriptors) as error:
        _log.error(error.code, error=error.message)
        raise SystemExit(2) from error


async def _serve(settings: GatewaySettings) -> None:
    shards = len(parse_urls(settings.redis_url))
    async with AsyncExitStack() as stack:
        ports = await stack.enter_async_context(open_ports(settings))
        say_who_may_enter(ports)
        if settings.admin_port:
            admin = served_beside(build_admin(ports), settings.admin_host, settings.admin_port)
            await stack.enter_async_context(admin)
        beside = await serve_ports_beside(ports, stack)
        relax_collector()
        await serve(
            build_app(ports),
            settings.host,
            settings.port,
            on_drain=lambda: ports.connections.drain(settings.drain_s),
            ready=lambda port: _log.info("listening", host=settings.host, port=port),
            # A little more than a frame may hold, so that one just too big gets a named error first.
            ws_max_size=2 * settings.max_frame_bytes,
            send_buffer_bytes=settings.send_buffer_bytes,
            limits=settings.http_limits(settings.ws_max_connections),
            registry=ports.metrics.registry,
            websockets=frame_protocol(settings, ports.metrics),
            other_descriptors=OTHER_DESCRIPTORS + settings.redis_max_connections * shards + beside,
        )


async def serve_ports_beside(ports: GatewayPorts, stack: AsyncExitStack) -> int:
    """Dialects with a port of their own, until `stack` ends; returns how many sockets they may hold."""
    settings = ports.settings
    apps = []
    if settings.stream_enabled:
        apps.append(("committed_lines", build_stream(ports), settings.stream_ws_port))
    if settings.whisperlive_port:
        apps.append(("whisperlive", build_whisperlive(ports), settings.whisperlive_port))
    limits = settings.http_limits(settings.ws_max_connections)
    for dialect, app, port in apps:
        served = served_beside(
            app,
            settings.host,
            port,
            limits=limits,
            websockets=frame_protocol(settings, ports.metrics),
            ws_max_size=2 * settings.max_frame_bytes,
            send_buffer_bytes=settings.send_buffer_bytes,
        )
        bound_port = await stack.enter_async_context(served)
        _log.info("listening_beside", dialect=dialect, host=settings.host, port=bound_port)
    return len(apps) * limits.max_sockets


def say_who_may_enter(ports: GatewayPorts) -> None:
    if ports.auth.required:
        _log.info("api_keys_needed", tenants=ports.auth.tenants)
    elif is_loopback(ports.settings.host):
        _log.info("open_to_this_machine", host=ports.settings.host)
    else:
        _log.warning("open_to_everybody", host=ports.settings.host, how_to_close="set API_KEYS")


def frame_protocol(settings: GatewaySettings, metrics: GatewayMetrics) -> WebSockets:
    """The protocol of this gateway's WebSockets, within its bounds."""
    limits = FrameLimits(
        control_per_s=settings.control_frames_per_s,
        control_burst=5 * settings.control_frames_per_s,
        on_refused=metrics.count_refused_entry,
    )
    return partial(FrameProtocol, limits=limits)


@asynccontextmanager
async def open_ports(settings: GatewaySettings) -> AsyncIterator[GatewayPorts]:
    """Everything on Redis and HTTP, closed again afterwards."""
    async with AsyncExitStack() as stack:
        registry = create_registry()
        metrics = GatewayMetrics(registry)
        bus_metrics = BusMetrics(registry)
        pool_limits = ConnectionLimits(max_connections=settings.redis_max_connections)
        connections = RedisConnections(settings.redis_url, pool_limits)
        stack.push_async_callback(connections.close)
        control = open_client(settings.control_url, ConnectionLimits(max_connections=4))
        stack.push_async_callback(control.aclose, close_connection_pool=True)
        await require_suitable(connections, control)
        await stack.enter_async_context(
            running(SuitabilityWatch(connections, bus_metrics).run(), "redis-watch")
        )
        policy = CircuitPolicy(settings.circuit_failures, settings.circuit_open_s)
        circuits = Circuits(policy, SystemClock(), metrics, len(parse_urls(settings.redis_url)))
        memory = MemoryWatch(connections, bus_metrics, settings.bus_refuse_at, circuits.bus_answers)
        await stack.enter_async_context(running(memory.run(), "redis-memory"))
        feed = RedisResultFeed(connections, metrics=bus_metrics)
        stack.push_async_callback(feed.close)
        models = catalogue_of(settings)
        admission = open_admission(settings, circuits.router)
        stack.push_async_callback(admission.close)
        batch = ArqVerifier(settings.control_url, timeout_s=settings.batch_timeout_s, circuit=circuits.batch)
        stack.push_async_callback(batch.close)
        transcriber = ArqTranscriber(settings.control_url, timeout_s=settings.transcribe_timeout_s)
        stack.push_async_callback(transcriber.close)
        decoder = open_decoder(settings, metrics)
        stack.push_async_callback(decoder.close)
        encoder = open_encoder(settings)
        stack.callback(encoder.close)
        usage = UsageMeter(RedisUsage(control, settings.usage_days), SystemClock(), metrics)
        await stack.enter_async_context(running(usage.run(settings.usage_flush_s), "usage"))
        enhancements = await open_enhancements(settings, metrics, usage, stack)
        tracing = await stack.enter_async_context(open_tracing("gateway", settings))
        speech = SileroDetector()
        stack.push_async_callback(speech.close)
        yield GatewayPorts(
            settings=settings,
            clock=SystemClock(),
            store=RedisSessionStore(
                connections,
                settings.bus_limits(),
                bus_metrics,
                expect_audio_room=memory.expect_audio_room,
            ),
            feed=feed,
            expect_storage=memory.expect_room,
            admission=admission,
            leases=LeaseKeeper(admission, settings.lease_renew_s, settings.refusal_memory_s, metrics=metrics),
            batch=batch,
            transcriber=transcriber,
            auth=Authenticator(settings.api_keys),
            quality=Quality(settings, models, metrics),
            metrics=metrics,
            connections=ConnectionRegistry(
                settings.ws_max_connections,
                EndedConnections().note,
                per_address=settings.max_sessions_per_address,
                per_tenant=settings.max_sessions_per_tenant,
                per_protocol=settings.connections_by_protocol,
            ),
            workers_ready=admission.workers_ready,
            decoder=decoder,
            encoder=encoder,
            speech=speech,
            usage=usage,
            models=models,
            circuits=circuits,
            enhancements=enhancements,
            tracing=tracing,
        )


async def open_enhancements(
    settings: GatewaySettings, metrics: GatewayMetrics, usage: UsageMeter, stack: AsyncExitStack
) -> Enhancements | None:
    """Where recordings are kept, swept until `stack` ends; None where they are not."""
    if not settings.recordings_url:
        return None
    queue = ArqEnhanceQueue(settings.control_url, settings.recordings_keep_s)
    stack.push_async_callback(queue.close)
    limits = Limits(settings.recordings_keep_s, settings.recordings_max_bytes)
    store = open_store(settings.recordings_url)
    enhancements = Enhancements(store, queue, limits, SystemClock(), metrics, usage)
    await stack.enter_async_context(
        running(enhancements.run(settings.recordings_sweep_s), "sweep-recordings")
    )
    return enhancements


def open_admission(settings: GatewaySettings, circuit: Circuit | None = None) -> Admission:
    """The routers of `ROUTER_URL`, or nobody to ask."""
    urls = [url.strip() for url in settings.router_url.split(",") if url.strip()]
    if not urls:
        return OpenAdmission()
    return HttpAdmission(urls, api_key=settings.router_api_key, circuit=circuit)


if __name__ == "__main__":
    main()
