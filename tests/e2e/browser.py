"""A headless Chromium for one test, driven by the DevTools protocol over its own WebSocket."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_POLL_S = 0.1


def chromium() -> str | None:
    """The path of a Chromium on this machine, None if there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """One tab. `problems` collects what the console and the page's own scripts complain about."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read(), name="devtools-reader")
        self.problems: list[str] = []

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = len(self._answers) + 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        return await answer

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression, evaluated as if the user had acted."""
        answer = await self.call(
            "Runtime.evaluate", expression=script, userGesture=True, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)
        await self.until("location.href !== 'about:blank' && document.readyState === 'complete'")

    async def until(self, script: str, within_s: float = 60.0) -> Any:
        """Poll until the expression is true; returns its value."""
        for _ in range(int(within_s / _POLL_S)):
            value = await self.run(script)
            if value:
                return value
            await asyncio.sleep(_POLL_S)
        raise AssertionError(f"not within {within_s:g} s: {script}; {self.problems}")

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self._socket:
            event = json.loads(message)
            if "id" in event:
                self._answers[event["id"]].set_result(event.get("result", event))
            else:
                self._note(event["method"], event["params"])

    def _note(self, method: str, about: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(about["exceptionDetails"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.problems.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")


@asynccontextmanager
async def tab(profile: Path, arguments: Sequence[str] = ()) -> AsyncIterator[Page]:
    """A fresh browser with one empty tab; gone afterwards, with the sockets it leaves when it is killed."""
    # A short path: the name of a Unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="rattil-tab-", ignore_cleanup_errors=True) as scratch:
        async with _tab(profile, arguments, scratch) as page:
            yield page


@asynccontextmanager
async def _tab(profile: Path, arguments: Sequence[str], scratch: str) -> AsyncIterator[Page]:
    program = chromium()
    assert program is not None, "ask chromium() first"
    process = await asyncio.create_subprocess_exec(
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "--autoplay-policy=no-user-gesture-required",
        *arguments,
        "about:blank",
        env={**os.environ, "TMPDIR": scratch},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    drain: asyncio.Task[None] | None = None
    try:
        browser_url = await _devtools_address(process)
        drain = asyncio.create_task(_discard(process), name="browser-log")
        async with connect(await _first_tab(browser_url), max_size=None, compression=None) as socket:
            page = Page(socket)
            try:
                yield page
            finally:
                await page.close()
    finally:
        process.kill()
        await process.wait()
        if drain is not None:
            await drain


async def _devtools_address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while line := (await process.stderr.readline()).decode(errors="replace"):
            found = re.search(r"listening on (ws://\S+)", line)
            if found:
                return found[1]
    raise AssertionError("the browser ended before it listened")


async def _first_tab(browser_url: str) -> str:
    async with connect(browser_url, compression=None) as browser:
        await browser.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
        answer = json.loads(await browser.recv())
    page = next(target for target in answer["result"]["targetInfos"] if target["type"] == "page")
    return f"{browser_url.partition('/devtools')[0]}/devtools/page/{page['targetId']}"


async def _discard(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while await process.stderr.read(65_536):
        pass
