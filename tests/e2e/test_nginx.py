"""nginx with the shipped configuration in front of two gateways: recite, resume, idle, reload."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from cli.ports import free_port
from cli.processes import Child, Service
from deploy.images import DOCKER
from tests.e2e.chaos import ENV, recitals
from tests.e2e.history import check, differences
from tests.e2e.reciter import Reciter
from tests.e2e.system import System, system
from tests.programs import needs

IDLE_S = float(os.environ.get("NGINX_IDLE_S", "6"))
"""How long a client says nothing. The documentation's five minutes were run with NGINX_IDLE_S=300."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180 + IDLE_S)]


async def test_nginx_carries_sessions(tmp_path: Path) -> None:
    program = needs("nginx")
    patience = str(IDLE_S + 60)
    environment = ENV | {"WS_IDLE_TIMEOUT": patience, "WS_FIRST_AUDIO_TIMEOUT": patience}
    async with system(gateways=2, env=environment) as running, nginx(program, running, tmp_path) as edge:
        idle = asyncio.create_task(recites_after_a_pause(edge.ws_url))
        calm = await reciter(edge.ws_url).recite()

        # Reload in mid-session: the old processes keep what they carry.
        reloaded = reciter(edge.ws_url, "reloaded")
        reciting = asyncio.create_task(reloaded.recite())
        await asyncio.sleep(1)
        await edge.reload()
        after_reload = await reciting

        states = await idle

        # A gateway goes: everybody goes on with the other one, through the same address.
        crowd = [reciter(edge.ws_url, f"moved-{number}") for number in range(6)]
        moving = [asyncio.create_task(one.recite()) for one in crowd]
        await asyncio.sleep(1)
        await running.terminate("gateway-1")
        moved = [await task for task in moving]
        await running.bring_back("gateway-1")

        async with httpx.AsyncClient() as http:
            answers = {
                path: (await http.get(f"{edge.url}{path}")).status_code
                for path in ("/health", "/verses/1/1", "/metrics", "/metrics/streaming")
            }
    assert answers == {"/health": 200, "/verses/1/1": 200, "/metrics": 404, "/metrics/streaming": 404}
    assert after_reload.connections == 1
    verdict = check([calm, after_reload, *moved])
    assert verdict.ok, verdict
    assert sum(len(one.closes) for one in crowd) >= 1, "somebody was on the gateway that went"
    assert [line for one in (after_reload, *moved) for line in differences(one, calm)] == []
    assert states.count("correct") > 0


class Edge:
    """A running nginx."""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"

    async def reload(self) -> None:
        """As `nginx -s reload` does; waits until a new worker process has begun."""
        before = workers_of(self._child.pid)
        os.kill(self._child.pid, signal.SIGHUP)
        async with asyncio.timeout(20):
            while workers_of(self._child.pid) <= before:  # noqa: ASYNC110 (another process: no event)
                await asyncio.sleep(0.1)


def workers_of(pid: int) -> set[int]:
    """nginx's worker processes."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return {int(child) for child in found.split()}


@asynccontextmanager
async def nginx(program: str, running: System, folder: Path) -> AsyncIterator[Edge]:
    """The shipped configuration with the addresses of this run."""
    port = free_port()
    text = (DOCKER / "nginx.conf").read_text(encoding="utf-8").replace("/tmp/", f"{folder}/")
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};").replace("worker_processes auto;", "")
    for number, gateway in enumerate(running.plan.ports.gateways, 1):
        text = text.replace(f"server gateway-{number}:8000", f"server 127.0.0.1:{gateway}")
    text = text.replace("/dev/stdout", f"{folder}/access.log").replace("/dev/stderr", f"{folder}/error.log")
    path = folder / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    tested = await asyncio.create_subprocess_exec(program, "-t", "-q", "-c", str(path))
    assert await tested.wait() == 0
    service = Service(
        name="nginx",
        argv=[program, "-c", str(path), "-g", "daemon off;"],
        ready_url=f"http://127.0.0.1:{port}/health",
    )
    child = await Child.start(service, lambda _name, _line: None)
    try:
        await child.ready()
        yield Edge(child, port)
    finally:
        os.kill(child.pid, signal.SIGTERM)
        await child.died()


def reciter(url: str, name: str = "calm") -> Reciter:
    return Reciter(name, [url], replace(recitals()[0], pace=1.5), deadline_s=90)


async def recites_after_a_pause(url: str) -> list[str]:
    """Word states of a client that connects, says nothing for a while, and then recites."""
    piece = recitals()[0]
    async with connect(
        f"{url}/ws/recite?surah={piece.surah}&ayah={piece.ayah}&to={piece.to}", compression=None
    ) as socket:
        assert json.loads(await socket.recv())["type"] == "ready"
        await asyncio.sleep(IDLE_S)
        for start in range(0, len(piece.pcm), 8_000):
            await socket.send(piece.pcm[start : start + 8_000])
        await socket.send("end")
        async for frame in socket:
            event = json.loads(frame)
            if event["type"] == "final_result":
                return [word["status"] for word in event["result"]["word_analysis"]]
    return []
