"""The browser example of `/ws/stream`'s page: Chromium recites through a break of its gateway."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from cli.sample_files import samples_folder
from shared.service.http_server import serve
from tests.e2e.browser import chromium, tab
from tests.e2e.microphones import recording, write_wav
from tests.e2e.system import system

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients" / "stream.md").read_text(encoding="utf-8")
ADDRESS = "ws://127.0.0.1:8000"
SAMPLE = samples_folder() / "ikhlas_clean.opus"
CORRECT = "document.querySelectorAll('#words .correct').length"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
]


@asynccontextmanager
async def served(folder: Path, gateway: str) -> AsyncIterator[str]:
    """The example with the package beside it."""
    (html,) = re.findall(r"```html\n(.*?)```", PAGE, re.DOTALL)
    assert ADDRESS in html
    (folder / "index.html").write_text(html.replace(ADDRESS, gateway), encoding="utf-8")
    (folder / "favicon.ico").touch()  # browsers ask for one
    app = Starlette(
        routes=[
            Mount("/rattil-client", StaticFiles(directory=ROOT / "clients" / "js")),
            Mount("/", StaticFiles(directory=folder, html=True)),
        ]
    )
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(app, "127.0.0.1", 0, ready=ready.set_result, stop=stop, shutdown_timeout_s=1)
    )
    try:
        yield f"http://127.0.0.1:{await ready}/"
    finally:
        stop.set()
        await serving


async def test_a_browser_recites_through_a_break(tmp_path: Path) -> None:
    microphone = write_wav(recording(SAMPLE), tmp_path / "ikhlas.wav")
    folder = tmp_path / "page"
    folder.mkdir()
    sockets: list[str] = []
    async with (
        system(env={"WS_ALLOWED_ORIGINS": "*"}) as running,
        served(folder, running.ws_urls[0]) as url,
        tab(url, microphone=microphone, drawn="#recite") as page,
    ):
        page.page.on("websocket", lambda socket: sockets.append(socket.url))
        await page.page.click("#recite")
        await page.until(f"{CORRECT} >= 5")
        await running.kill("gateway-1")
        await running.bring_back("gateway-1")
        await page.until(f"{CORRECT} === 15", within_s=90)
        await page.page.click("#stop")
        score = await page.until("document.getElementById('score').textContent", within_s=60)
        mistakes = await page.page.inner_text("#mistakes")
    assert (score, mistakes) == ("score 100", "")
    assert len(sockets) >= 2
    assert re.search(r"&session_id=[\w-]+&last_seq=\d+&offset=[1-9]\d*$", sockets[-1])
