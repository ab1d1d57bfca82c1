"""The examples of the JavaScript client's page: in Chromium, through a break as without one, and in Node."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from cli.sample_files import samples_folder
from gateway.http.page import WithHeaders
from rattil.client.sound_source import read_file
from shared.service.http_server import serve
from tests import node
from tests.e2e.browser import Tab, chromium, tab
from tests.e2e.microphones import recording, write_wav
from tests.e2e.system import System, system

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients" / "javascript.md").read_text(encoding="utf-8")
ADDRESS = "'ws://127.0.0.1:8000'"
SAMPLE = samples_folder() / "ikhlas_clean.opus"
CORRECT = "(document.getElementById('words').textContent.match(/:correct/g) ?? []).length"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
]


def example(heading: str, urls: list[str]) -> str:
    """The program under a heading, which asks these gateways in turn."""
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```js\n(.*?)```", part, re.DOTALL)
    assert ADDRESS in code
    return str(code.replace(ADDRESS, str(urls)))


class _MayConnect:
    """The headers of our own page, with leave to talk to gateways elsewhere."""

    def __init__(self, app: ASGIApp, gateways: str) -> None:
        self._app = app
        self._gateways = gateways.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def widened(message: dict[str, object]) -> None:
            headers = message.get("headers")
            if isinstance(headers, list):
                message["headers"] = [
                    (name, value.replace(b"connect-src 'self'", b"connect-src " + self._gateways))
                    for name, value in headers
                ]
            await send(message)

        await self._app(scope, receive, widened)  # type: ignore[arg-type]


@asynccontextmanager
async def served(folder: Path, urls: list[str], port: int) -> AsyncIterator[str]:
    """The example's page with the package beside it, under the strict policy of our own page."""
    (html,) = re.findall(r"```html\n(.*?)```", PAGE, re.DOTALL)
    (folder / "index.html").write_text(html, encoding="utf-8")
    (folder / "recite.js").write_text(example("A recitation in a browser", urls), encoding="utf-8")
    (folder / "favicon.ico").touch()  # browsers ask for one
    app = Starlette(
        routes=[
            Mount("/rattil-client", WithHeaders(StaticFiles(directory=ROOT / "clients" / "js"))),
            Mount("/", WithHeaders(StaticFiles(directory=folder, html=True))),
        ],
        middleware=[Middleware(_MayConnect, gateways=" ".join(urls))],
    )
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(app, "127.0.0.1", port, ready=ready.set_result, stop=stop, shutdown_timeout_s=1)
    )
    try:
        yield f"http://127.0.0.1:{await ready}/"
    finally:
        stop.set()
        await serving


async def test_a_browser_recites_through_a_break_as_without_one(tmp_path: Path) -> None:
    """Two of the same page, side by side: the gateway of one is killed in the middle."""
    microphone = write_wav(recording(SAMPLE), tmp_path / "ikhlas.wav")
    async with system(gateways=2, env={"WS_ALLOWED_ORIGINS": "*"}) as running:
        whole, broken = await asyncio.gather(
            _recited(running, tmp_path / "whole", microphone, [running.ws_urls[1]], kill=""),
            _recited(running, tmp_path / "broken", microphone, running.ws_urls, kill="gateway-1"),
        )
        printed = await node.script(
            example("A recitation in Node", [running.ws_urls[1]]), tmp_path, str(_raw(tmp_path))
        )
    (words, score, sockets), (words_after_break, score_after_break, sockets_with_break) = whole, broken
    assert words_after_break == words
    assert words.count(":correct") == 15
    assert score_after_break == score == "score 100"
    assert (len(sockets), len(set(sockets_with_break))) == (1, 2)
    assert re.search(r"[?&]session_id=[^&]+&offset=[1-9]\d*&last_seq=\d", sockets_with_break[-1])
    lines = printed.splitlines()
    assert (lines[-2], lines[-1]) == (words, score)


async def _recited(
    running: System, folder: Path, microphone: Path, urls: list[str], kill: str
) -> tuple[str, str, list[str]]:
    """What the page shows at the end: the words, the score; and the WebSockets it opened."""
    await asyncio.to_thread(folder.mkdir)
    sockets: list[str] = []
    async with (
        served(folder, urls, port=0) as url,
        tab(url, microphone=microphone, drawn="#recite") as page,
    ):
        page.page.on("websocket", lambda socket: sockets.append(socket.url))
        await page.page.click("#recite")
        if kill:
            await page.until(f"{CORRECT} >= 5")
            await running.kill(kill)
        await page.until(f"{CORRECT} === 15", within_s=90)
        await page.page.click("#stop")
        score = await page.until("document.getElementById('score').textContent", within_s=60)
        words = await page.page.inner_text("#words")
        await _unhurt(page, broken=bool(kill))
    return words, score, sockets


async def _unhurt(page: Tab, *, broken: bool) -> None:
    """Nothing is complained of but the connections that the test broke."""
    expected = "WebSocket connection to" if broken else "nothing"
    assert [problem for problem in page.problems if expected not in problem] == []


def _raw(folder: Path) -> Path:
    path = folder / "ikhlas.pcm"
    path.write_bytes(read_file(SAMPLE))
    return path
