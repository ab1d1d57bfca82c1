from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from shared.service.http_server import CannotListen, StartupFailed, bind, serve


async def _hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for message in websocket.iter_bytes():
        await websocket.send_bytes(message)


def _app() -> Starlette:
    return Starlette(routes=[Route("/", _hello), WebSocketRoute("/ws", _echo)])


class Running:
    """One server under test, and how to stop it."""

    def __init__(self, app: Starlette, on_drain: Callable[[], Awaitable[None]] | None = None) -> None:
        self._port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(
            serve(
                app,
                "127.0.0.1",
                0,
                on_drain=on_drain,
                ready=self._port.set_result,
                stop=self.stop,
                ws_max_size=4096,
                websockets=WebSocketsSansIOProtocol,
                send_buffer_bytes=65536,
            )
        )

    async def url(self) -> str:
        return f"127.0.0.1:{await self._port}"


async def test_port_zero_is_reported_and_stop_ends_it() -> None:
    running = Running(_app())
    async with httpx.AsyncClient() as client:
        response = await client.get(f"http://{await running.url()}/")
    assert response.text == "hello"
    assert "server" not in response.headers
    running.stop.set()
    await running.task


async def test_the_drain_can_still_talk_to_clients_and_the_server_still_answers() -> None:
    seen: list[int] = []
    sockets: list[WebSocket] = []

    async def keep(websocket: WebSocket) -> None:
        await websocket.accept()
        sockets.append(websocket)
        async for _ in websocket.iter_bytes():
            pass

    async def drain() -> None:
        async with httpx.AsyncClient() as client:
            seen.append((await client.get(f"http://{await running.url()}/")).status_code)
        for websocket in sockets:
            await websocket.send_bytes(b"last words")
            await websocket.close(4001, "draining")

    app = Starlette(routes=[Route("/", _hello), WebSocketRoute("/ws", keep)])
    running = Running(app, drain)
    async with websockets.connect(f"ws://{await running.url()}/ws") as client:
        await client.send(b"x")
        os.kill(os.getpid(), signal.SIGTERM)
        assert await client.recv() == b"last words"
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4001
    await running.task
    assert seen == [200]


async def test_a_second_signal_does_not_wait_for_the_drain() -> None:
    draining = asyncio.Event()

    async def never() -> None:
        draining.set()
        await asyncio.Event().wait()

    running = Running(_app(), never)
    await running.url()
    os.kill(os.getpid(), signal.SIGTERM)
    await draining.wait()
    os.kill(os.getpid(), signal.SIGINT)
    await running.task


async def test_a_second_signal_still_lets_the_application_close_what_it_has_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    draining = asyncio.Event()
    closed: list[str] = []

    async def never() -> None:
        draining.set()
        await asyncio.Event().wait()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        closed.append("store")

    app = Starlette(routes=[WebSocketRoute("/ws", _echo)], lifespan=lifespan)
    running = Running(app, never)
    async with websockets.connect(f"ws://{await running.url()}/ws") as client:
        os.kill(os.getpid(), signal.SIGTERM)
        await draining.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await running.task
        with pytest.raises(websockets.ConnectionClosed):
            await client.recv()
    assert closed == ["store"]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_failing_drain_still_stops_the_server_and_is_reported() -> None:
    async def broken() -> None:
        raise RuntimeError("drain broke")

    running = Running(_app(), broken)
    await running.url()
    running.stop.set()
    with pytest.raises(RuntimeError, match="drain broke"):
        await running.task


async def test_an_oversized_message_is_closed_with_1009_and_deflate_is_refused() -> None:
    running = Running(_app())
    async with websockets.connect(f"ws://{await running.url()}/ws") as client:
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers
        await client.send(b"x" * 4096)
        assert await client.recv() == b"x" * 4096
        await client.send(b"x" * 4097)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    running.stop.set()
    await running.task


async def test_a_port_in_use_is_named() -> None:
    with bind("127.0.0.1", 0) as holder:
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            await serve(_app(), "127.0.0.1", port)


def test_a_foreign_address_is_named() -> None:
    with pytest.raises(CannotListen, match="choose another port"):
        bind("192.0.2.1", 0)


async def test_a_failing_lifespan_is_an_error_not_an_exit() -> None:
    class Broken(contextlib.AbstractAsyncContextManager[None]):
        async def __aenter__(self) -> None:
            raise ValueError("no")

        async def __aexit__(self, *_: object) -> None: ...

    app = Starlette(lifespan=lambda _app: Broken())
    with pytest.raises(StartupFailed):
        await serve(app, "127.0.0.1", 0)


def test_the_send_buffer_is_bounded() -> None:
    with bind("127.0.0.1", 0, send_buffer_bytes=65536) as listener:
        # Linux doubles the value for its own book-keeping.
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 65536
