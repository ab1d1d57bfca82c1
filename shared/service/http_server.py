"""uvicorn as our services need it: drained before it sees the signal, bounded, on a port known at once.

uvicorn's own SIGTERM closes every WebSocket at once and the application can send nothing more.
Here the first signal runs the service's drain to its end and only then stops uvicorn; a second
signal stops it without waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import Any, cast

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from shared.errors import RattilError
from shared.service.http_limits import HttpLimits, HttpMetrics, SilentSockets, need_descriptors
from shared.service.http_protocol import BoundedHttpProtocol, Gate
from shared.service.logging import get_logger

DEFAULT_WS_MAX_SIZE = 256 * 1024
"""Largest WebSocket message accepted, bytes; a larger one is answered with close code 1009."""

SHUTDOWN_TIMEOUT_S = 10
"""How long uvicorn waits, after the drain, for HTTP requests still being answered."""

CLOSING_AT_ONCE_S = 2
"""How long the application may take to close what it has open, where nothing else is waited for."""

OTHER_DESCRIPTORS = 128
"""Open files of a process beside the sockets it accepts: to Redis and other services, of libraries, spare."""

WebSockets = Callable[..., asyncio.Protocol]
"""Makes the protocol of one WebSocket: uvicorn's own class, one derived from it, or a partial of one."""

_log = get_logger(__name__)


class CannotListen(RattilError):
    """The address cannot be bound: in use, not ours, or not permitted."""

    code = "cannot_listen"


class StartupFailed(RattilError):
    """The application's own start (its lifespan) failed; the log says why."""

    code = "startup_failed"


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    on_drain: Callable[[], Awaitable[None]] | None = None,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
    limits: HttpLimits | None = None,
    registry: CollectorRegistry | None = None,
    websockets: WebSockets | None = None,
    other_descriptors: int = OTHER_DESCRIPTORS,
    ws_max_size: int = DEFAULT_WS_MAX_SIZE,
    send_buffer_bytes: int | None = None,
    shutdown_timeout_s: int = SHUTDOWN_TIMEOUT_S,
) -> None:
    """Serve `app` until SIGTERM, SIGINT or `stop` is set, and return when everything is down.

    Port 0 takes a free one; `ready` is called with the bound port once requests are accepted.
    `on_drain` runs while the server still answers. `send_buffer_bytes` bounds the kernel's send
    buffer of every accepted socket, so that a client that never reads costs little. `registry` takes the
    metrics of the HTTP side. Without `websockets` there are none. Raises `TooFewDescriptors`, `CannotListen`,
    `StartupFailed`, or whatever `on_drain` raised (after the server is down).
    """
    limits = limits or HttpLimits()
    need_descriptors(limits.max_sockets + other_descriptors)
    listener = bind(host, port, send_buffer_bytes)
    bound_port: int = listener.getsockname()[1]
    metrics = HttpMetrics(registry or CollectorRegistry())
    gate = Gate(limits, SilentSockets(limits.max_silent_per_address), metrics)
    server = _Server(_configure(app, gate, websockets, ws_max_size, shutdown_timeout_s))
    metrics.sockets.set_function(lambda: len(server.server_state.connections))
    server.on_started = lambda: ready(bound_port) if ready else None
    stop = stop or asyncio.Event()
    drain = asyncio.create_task(_drain_then_exit(server, stop, on_drain), name="http-drain")

    def on_signal() -> None:
        if stop.is_set():
            _log.warning("stopping_at_once", reason="second signal")
            server.exit_at_once()
            drain.cancel()
        stop.set()

    try:
        with contextlib.closing(listener), _signals(on_signal):
            await server.serve(sockets=[listener])
    finally:
        if not stop.is_set():
            drain.cancel()
        outcome = await asyncio.gather(drain, return_exceptions=True)
    failure = outcome[0]
    if isinstance(failure, Exception):
        raise failure


@contextlib.asynccontextmanager
async def served_beside(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    limits: HttpLimits | None = None,
    websockets: WebSockets | None = None,
    ws_max_size: int = DEFAULT_WS_MAX_SIZE,
    send_buffer_bytes: int | None = None,
) -> AsyncIterator[int]:
    """Serve a second application meanwhile, e.g. an admin port; it answers to the end of the block.

    Yields the bound port. The arguments are those of `serve`. Raises `CannotListen`, `StartupFailed`.
    """
    with contextlib.closing(bind(host, port, send_buffer_bytes)) as listener:
        limits = limits or HttpLimits()
        silent = SilentSockets(limits.max_silent_per_address)
        gate = Gate(limits, silent, HttpMetrics(CollectorRegistry()))
        server = _Server(_configure(app, gate, websockets, ws_max_size, shutdown_timeout_s=1))
        started = asyncio.Event()
        server.on_started = started.set
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="http-beside")
        starting = asyncio.create_task(started.wait(), name="http-beside-start")
        await asyncio.wait({serving, starting}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        if serving.done():
            await serving  # raises why it did not start
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a service's main coroutine on uvloop where there is one (not on Windows)."""
    if sys.platform == "win32":
        asyncio.run(main)
        return
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def bind(host: str, port: int, send_buffer_bytes: int | None = None) -> socket.socket:
    """A bound, not yet listening TCP socket; raises `CannotListen` with what to do about it."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise CannotListen(f"cannot listen on {host!r}: {error}; use an address of this machine") from error
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if send_buffer_bytes is not None:
            # Accepted sockets inherit it (Linux).
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror}; stop whatever uses it or choose another port"
        ) from error
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to us and reports failures as exceptions, not as exits."""

    on_started: Callable[[], None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as error:
            raise StartupFailed("the service could not start; the log above says why") from error
        if self.started and self.on_started:
            self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            await self._close_at_once()

    async def _close_at_once(self) -> None:
        """uvicorn would leave what still runs to be cancelled with the loop, and nothing would be closed."""
        answering = set(self.server_state.tasks)
        for task in answering:
            task.cancel()
        if answering:
            await asyncio.wait(answering, timeout=CLOSING_AT_ONCE_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lifespan.shutdown(), CLOSING_AT_ONCE_S)

    def exit_at_once(self) -> None:
        logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
        self.config.timeout_graceful_shutdown = CLOSING_AT_ONCE_S
        self.force_exit = True
        self.should_exit = True


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """uvicorn logs a cancelled answer as an error; where we are told to leave at once it is none."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _configure(
    app: ASGIApp, gate: Gate, websockets: WebSockets | None, ws_max_size: int, shutdown_timeout_s: int
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # uvicorn calls what it is given, whether that is a class or not.
        http=cast(type[asyncio.Protocol], partial(BoundedHttpProtocol, gate)),
        ws=cast(type[asyncio.Protocol], websockets) if websockets else "none",
        ws_max_size=ws_max_size,
        # On PCM, deflate saves 9 % of the bytes and costs 5 to 25 times the CPU.
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=shutdown_timeout_s,
    )


async def _drain_then_exit(
    server: _Server, stop: asyncio.Event, on_drain: Callable[[], Awaitable[None]] | None
) -> None:
    await stop.wait()
    _log.info("draining")
    try:
        if on_drain is not None:
            await on_drain()
    finally:
        server.should_exit = True


@contextlib.contextmanager
def _signals(handler: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT call `handler` meanwhile; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    for number in handled:
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
