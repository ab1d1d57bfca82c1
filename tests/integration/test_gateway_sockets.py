"""The gateway on real sockets: uvicorn as it runs in production, a memory bus behind it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.websockets import WebSocket
from structlog.testing import capture_logs
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.server import ServerProtocol

from gateway.__main__ import frame_protocol
from gateway.app import build_app
from gateway.connection.connection import Connection
from shared.protocol.close_codes import DRAINING
from shared.service.http_server import serve
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Gateway, eventually, world

FATIHA = "surah=1&ayah=1&to=7"
_OF_A_CONNECTION = (HttpToolsProtocol, WebSocketsSansIOProtocol, ServerProtocol, WebSocket, Connection)


class Served:
    """A gateway that listens on a port of this machine."""

    def __init__(self, gateway: Gateway, port: int, stop: asyncio.Event) -> None:
        self.gateway = gateway
        self.port = port
        self.stop = stop

    def client(self, query: str = FATIHA) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/ws/recite?{query}", compression=None)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@asynccontextmanager
async def served(**overrides: Any) -> AsyncIterator[Served]:
    async with world() as w:
        gateway = w.gateway(**overrides)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        serving = asyncio.create_task(
            serve(
                build_app(gateway.ports),
                "127.0.0.1",
                0,
                on_drain=lambda: gateway.ports.connections.drain(gateway.ports.settings.drain_s),
                ready=port.set_result,
                stop=stop,
                ws_max_size=2 * gateway.ports.settings.max_frame_bytes,
                send_buffer_bytes=gateway.ports.settings.send_buffer_bytes,
                limits=gateway.ports.settings.http_limits(gateway.ports.settings.ws_max_connections),
                registry=gateway.ports.metrics.registry,
                websockets=frame_protocol(gateway.ports.settings, gateway.ports.metrics),
            )
        )
        try:
            yield Served(gateway, await port, stop)
        finally:
            stop.set()
            await serving


async def events(client: ClientConnection) -> list[dict[str, Any]]:
    """Everything up to the close."""
    received = []
    try:
        async for message in client:
            received.append(json.loads(message))
    except ConnectionClosed:
        pass
    return received


async def recite(client: ClientConnection) -> list[dict[str, Any]]:
    pcm = speech.recite(range(12))
    for start in range(0, len(pcm), 6400):
        await client.send(pcm[start : start + 6400])
    await client.send("end")
    return await events(client)


async def test_a_recitation_over_a_real_socket() -> None:
    async with served() as s, s.client() as client:
        told = await recite(client)
        assert client.close_code == 1000
    assert told[0]["type"] == "ready"
    assert told[-1]["type"] == "final_result"
    words = [event for event in told if event["type"] == "partial_result"][-1]["word_feedback"]
    assert [word["status"] for word in words[:12]] == ["correct"] * 12


async def test_a_wrong_verse_is_closed_with_its_reason() -> None:
    async with served() as s, s.client("surah=1&ayah=9") as client:
        told = await events(client)
    assert told[0]["code"] == "unknown_verse"
    assert client.close_code == 1008
    assert client.close_reason is not None
    assert client.close_reason.startswith("unknown_verse")


@pytest.mark.parametrize(("size", "named"), [(20_000, True), (400_000, False)])
async def test_oversized_frames_close_with_1009(size: int, named: bool) -> None:
    async with served(max_frame_bytes=16_000) as s, s.client() as client, s.client() as neighbour:
        await client.send(bytes(size))
        told = await events(client)
        assert client.close_code == 1009
        # The server may refuse the larger frame before its first event is sent.
        assert ("frame_too_big" in [event.get("code") for event in told]) is named
        assert (await recite(neighbour))[-1]["type"] == "final_result"


async def test_a_client_that_never_reads_loses_its_socket_and_nobody_else_does() -> None:
    settings = {"send_timeout_s": 0.2, "outbox_bytes": 50_000, "send_buffer_bytes": 16_384}
    async with served(**settings) as s:
        with socket.create_connection(("127.0.0.1", s.port)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(_handshake(s.port))
            await eventually(lambda: s.gateway.ports.connections.count == 1)
            sending = asyncio.create_task(asyncio.to_thread(_ping_for_ever, deaf))
            async with s.client() as neighbour:
                assert (await recite(neighbour))[-1]["type"] == "final_result"
            await eventually(lambda: s.gateway.ports.connections.count == 0)
            await asyncio.to_thread(_read_to_the_end, deaf)
            with contextlib.suppress(OSError):
                deaf.shutdown(socket.SHUT_RDWR)
            await sending


async def test_a_client_that_vanishes_is_noticed() -> None:
    async with served() as s:
        async with s.client() as client:
            await client.recv()
            client.transport.abort()
        await eventually(lambda: s.gateway.ports.connections.count == 0)
        assert s.gateway.ports.leases.count == 0


@pytest.mark.parametrize("ending", ["end", "cut", "refused"])
async def test_the_server_s_side_of_a_socket_is_gone_with_it(ending: str) -> None:
    """No part of it waits for the garbage collector: neither ours nor the web server's."""

    async def once(s: Served) -> None:
        async with s.client("surah=1&ayah=9" if ending == "refused" else FATIHA) as client:
            if ending == "cut":
                await client.recv()
                client.transport.abort()
            else:
                await (recite(client) if ending == "end" else events(client))
        await eventually(lambda: s.gateway.ports.connections.count == 0)

    async with served() as s:
        await once(s)
        before = _server_side()  # other tests may have left some
        gc.disable()
        try:
            await once(s)
            await eventually(lambda: all(any(one is old for old in before) for one in _server_side()))
        finally:
            gc.enable()


def _server_side() -> list[object]:
    """What should live only as long as a connection."""
    return [thing for thing in gc.get_objects() if issubclass(type(thing), _OF_A_CONNECTION)]


async def test_a_drain_tells_clients_to_reconnect_and_stops_the_server() -> None:
    async with served() as s, s.client() as client:
        await client.recv()
        s.stop.set()
        await events(client)
        assert (client.close_code, client.close_reason) == DRAINING


async def test_health_readiness_and_metrics() -> None:
    async with served() as s, httpx.AsyncClient() as http:
        async with s.client() as client:
            await recite(client)
        health, ready = await http.get(s.url("/health")), await http.get(s.url("/ready"))
        streaming = (await http.get(s.url("/metrics/streaming"))).json()
        text = (await http.get(s.url("/metrics"))).text
        assert (health.status_code, ready.status_code) == (200, 200)
        await s.gateway.ports.connections.drain(0)
        assert (await http.get(s.url("/ready"))).status_code == 503
    assert set(streaming) == {
        "active_connections",
        "avg_latency_ms",
        "p95_latency_ms",
        "asr_failure_count",
        "dropped_segments",
        "latency_sample_count",
        "adaptive_window_seconds",
    }
    assert streaming["latency_sample_count"] > 0
    assert 'rattil_gateway_outcomes_total{code="",outcome="result"}' in text


def _handshake(port: int) -> bytes:
    lines = [
        f"GET /ws/recite?{FATIHA} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def _read_to_the_end(deaf: socket.socket) -> None:
    """What was on its way; returns when the server's side is closed. Until somebody reads, the system may
    keep a sender waiting for room that the closed side no longer gives."""
    try:
        while deaf.recv(65_536):
            pass
    except OSError:
        return


def _ping_for_ever(deaf: socket.socket) -> None:
    """Ask for answers, and never read one, until the server has had enough."""
    frame = b"\x81\x84\x00\x00\x00\x00ping"
    try:
        while True:
            deaf.sendall(frame * 200)
    except OSError:
        return


async def test_a_path_that_is_not_there_is_named_in_the_same_shape_everywhere() -> None:
    async with served() as running, httpx.AsyncClient() as http:
        missing = await http.get(running.url("/nope"))
        wrong_method = await http.post(running.url("/health"))
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{running.port}/ws/nope", compression=None)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong_method.status_code, wrong_method.json()["error"]["code"]) == (405, "method_not_allowed")
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body)["error"]["code"] == "not_found"


async def test_the_log_tells_who_came_and_who_was_refused_and_no_secret() -> None:
    key = "a-secret-key"
    with capture_logs() as logged:
        async with served(api_keys=f"acme={key}") as s:
            async with s.client() as refused:
                assert (await events(refused))[0]["code"] == "unauthorised"
            async with s.client(f"{FATIHA}&token=another-secret") as refused:
                await events(refused)
            async with httpx.AsyncClient() as http:
                answer = await http.post(s.url("/verify?surah=1&ayah=1"), headers={"X-API-Key": "guessed"})
                assert answer.status_code == 401
            async with s.client(f"{FATIHA}&token={key}") as client:
                await recite(client)
    lines = {line["event"]: line for line in logged}
    refused_codes = [line["code"] for line in logged if line["event"] == "connection_refused"]
    assert len(refused_codes) == 2
    assert lines["connection_refused"]["address"] == "127.0.0.1"
    assert lines["request_refused"].items() >= {"path": "/verify", "address": "127.0.0.1"}.items()
    assert lines["connection_started"].items() >= {"tenant": "acme", "address": "127.0.0.1"}.items()
    assert lines["connection_ended"]["end"] == "done"
    everything = json.dumps(logged, default=str)
    for secret in (key, "another-secret", "guessed"):
        assert secret not in everything
