"""A real Prometheus watches the running stack: rules, an overload that fires and resolves, panels."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import websockets

from benchmarks.prometheus import Prometheus
from cli.ports import free_port
from deploy.dashboards.boards import BOARDS
from deploy.dashboards.picture import draw
from deploy.dashboards.queries import ask
from tests.e2e.chaos import ENV, recitals
from tests.e2e.prometheus import prometheus_with_alerts
from tests.e2e.reciter import Reciter
from tests.e2e.system import System, system
from tests.programs import needs

RATE = "8s"
CROWD = 8
ENGINE_MS = "250"
"""One segment at a time, four a second: one reciter is served at once, ten are too many."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]


async def test_an_overload_is_seen_told_and_over(tmp_path: Path) -> None:
    program, admin = needs("prometheus"), free_port()
    environment = ENV | {
        "ADMIN_PORT": str(admin),
        "ASR_SCRIPTED_DELAY_MS": ENGINE_MS,
        "ASR_MAX_BATCH": "1",
        "ASR_CAPACITY": "fixed",
        "ASR_MAX_SESSIONS": "40",
    }
    async with system(env=environment) as running:
        where = {
            "gateway": f"127.0.0.1:{admin}",
            "router": f"127.0.0.1:{running.plan.ports.routers[0]}",
            "worker": f"127.0.0.1:{running.plan.ports.workers[0]}",
        }
        async with prometheus_with_alerts(program, where, tmp_path) as watching:
            began_s = time.time()
            await everything_is_scraped(watching)
            await clumsy(running)
            await reciting(running, 1)
            assert "RattilLatencyHigh" not in await watching.alerts()
            crowd = asyncio.create_task(reciting(running, CROWD))
            await watching.until("RattilLatencyHigh", "firing", within_s=60)
            await crowd
            await watching.until("RattilLatencyHigh", None, within_s=60)
            with httpx.Client(base_url=watching.url) as http:
                silent = [
                    f"{board.title}: {panel.title}: {query.expr}"
                    for board in BOARDS.values()
                    for panel in board.panels
                    for query in panel.queries
                    if not ask(http, query.expr, query.legend, began_s, time.time(), RATE)
                ]
                draw_if_asked(http, began_s)
    assert silent == []


async def everything_is_scraped(watching: Prometheus) -> None:
    """Every target answers, every rule can be evaluated."""
    async with asyncio.timeout(30):
        for states, wanted in ((watching.targets, "up"), (watching.rules, "ok")):
            while set((await states()).values()) != {wanted}:  # noqa: ASYNC110 (another process: no event)
                await asyncio.sleep(0.3)


async def reciting(running: System, count: int) -> None:
    """So many reciters at once, in real time, to their final results."""
    piece = replace(recitals()[2], pace=1.0)
    reciters = [Reciter(f"r-{number}", running.ws_urls, piece) for number in range(count)]
    await asyncio.gather(*(reciter.recite() for reciter in reciters))


async def clumsy(running: System) -> None:
    """A client that sends what nobody understands."""
    async with websockets.connect(f"{running.ws_urls[0]}/ws/recite?surah=1&ayah=1") as socket:
        await socket.recv()
        await socket.send("this is no command")
        await socket.recv()


def draw_if_asked(http: httpx.Client, began_s: float) -> None:
    """DASHBOARD_PICTURES=docs/pictures draws the dashboards of this run for the documentation."""
    folder = os.environ.get("DASHBOARD_PICTURES")
    if folder:
        for name, board in BOARDS.items():
            picture = draw(board, http, began_s, time.time(), RATE)
            (Path(folder) / f"dashboard-{name}.svg").write_text(picture, encoding="utf-8")
