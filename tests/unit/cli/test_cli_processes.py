"""The launcher's children: gated on readiness, stopped in reverse, never lost, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from cli.ports import free_port
from cli.processes import (
    Child,
    ChildDied,
    NotReady,
    PortInUse,
    Service,
    Stack,
    require_free,
)

SERVER = """
import http.server, signal, sys
print("starting", flush=True)
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit(0)))
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2])); self.end_headers(); self.wfile.write(b"answer")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


def python(name: str, code: str, *arguments: object, **options: object) -> Service:
    argv = [sys.executable, "-c", code, *map(str, arguments)]
    return Service(name=name, argv=argv, **options)  # type: ignore[arg-type]


def server(name: str, status: int = 200, **options: object) -> Service:
    port = free_port()
    return python(name, SERVER, port, status, ready_url=f"http://127.0.0.1:{port}/ready", **options)


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))


@asynccontextmanager
async def stack() -> AsyncIterator[tuple[Stack, Log]]:
    log = Log()
    made = Stack(log)
    try:
        yield made, log
    finally:
        made.kill()
        await made.stop()


async def test_a_service_is_started_waited_for_and_stopped() -> None:
    async with stack() as (running, log):
        await running.start([server("one-1")])
        (child,) = running.children
        await running.stop()
        assert log.lines == [("one-1", "starting"), ("one-1", "bye")]
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)


async def test_kinds_are_stopped_in_reverse_order() -> None:
    async with stack() as (running, log):
        await running.start([server("router-1"), server("router-2")])
        await running.start([server("gateway-1")])
        await running.stop()
    stopped = [name for name, line in log.lines if line == "bye"]
    assert stopped[0] == "gateway-1"
    assert sorted(stopped) == ["gateway-1", "router-1", "router-2"]


async def test_a_child_that_ends_before_it_is_ready_is_told_with_its_last_words() -> None:
    async with stack() as (running, _):
        with pytest.raises(ChildDied, match="worker-1 ended by itself with status 3") as died:
            await running.start(
                [
                    python(
                        "worker-1", "print('no model'); raise SystemExit(3)", ready_url="http://127.0.0.1:9/"
                    )
                ]
            )
    assert died.value.last_lines == ("no model",)


async def test_a_child_that_is_never_ready_is_told_with_its_last_answer() -> None:
    async with stack() as (running, _):
        child = await running.spawn(server("gateway-1", 503, ready_within_s=1.0))
        async with httpx.AsyncClient() as http:
            while not await answers(http, child.service.ready_url):  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.05)
        with pytest.raises(NotReady, match="503 answer"):
            await child.ready()


async def answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        await http.get(url)
    except httpx.TransportError:
        return False
    return True


async def test_a_part_that_dies_while_others_start_ends_the_start() -> None:
    """Its port was taken by another launch, which answers at its address."""
    async with stack() as (running, _):
        other = server("other-1")
        await running.start([other])
        dies = python("router-1", "print('cannot listen')", ready_url=other.ready_url)
        slow = server("worker-1", 503, ready_within_s=60)
        with pytest.raises(ChildDied) as died:
            await running.start_next([dies, slow])
        assert (died.value.name, list(died.value.last_lines)) == ("router-1", ["cannot listen"])


async def test_a_death_later_is_noticed() -> None:
    async with stack() as (running, _):
        await running.start([server("a-1"), server("b-1")])
        os.kill(running.children[1].pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            death = await running.first_death()
    assert death.name == "b-1"
    assert "SIGKILL" in str(death)


async def test_a_child_that_ignores_sigterm_is_killed_after_its_drain_time() -> None:
    deaf = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(60)"
    )
    heard = asyncio.Event()
    child = await Child.start(python("deaf-1", deaf, drain_s=0.2), lambda *_: heard.set())
    await heard.wait()
    assert await child.stop() == -signal.SIGKILL


async def test_only_the_last_lines_are_kept() -> None:
    async with stack() as (_, log):
        chatty = "for n in range(100): print(n)\nprint('x' * 200_000)"
        child = await Child.start(python("chatty-1", chatty), log)
        await child.died()
    assert len(child.last_lines) == 25
    assert child.last_lines[-1] == "(a line too long to show)"
    assert len(log.lines) == 101


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel feature is Linux's")
async def test_children_do_not_outlive_a_launcher_that_is_killed() -> None:
    launcher = (
        "import asyncio, sys, time\n"
        "from cli.processes import Child, Service\n"
        "async def main():\n"
        "    argv = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "    child = await Child.start(Service('c', argv), lambda *_: None)\n"
        "    print(child.pid, flush=True)\n"
        "    await child.died()\n"
        "asyncio.run(main())\n"
    )
    told: asyncio.Queue[str] = asyncio.Queue()
    parent = await Child.start(python("launcher", launcher), lambda _, line: told.put_nowait(line))
    async with asyncio.timeout(20):
        grandchild = int(await told.get())
        parent.kill()
        await parent.died()
        for _ in range(500):
            if not is_alive(grandchild):
                break
            await asyncio.sleep(0.02)
    assert not is_alive(grandchild)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits for its parent to notice its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_port_in_use_is_named_with_what_to_change() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{port}.*--port or PORT"):
            require_free("127.0.0.1", port, "--port or PORT")
    require_free("127.0.0.1", free_port(), "--port")
