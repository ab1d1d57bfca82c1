"""A headless Chromium, driven by Playwright. Playwright's own browsers are not needed.

A test has a browser of its own, or shares those of its module (`shared_browsers`) with a profile of its own.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    async_playwright,
)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_POLL_S = 0.05
DESK, PHONE, SIDEWAYS = (1280, 800), (390, 844), (844, 390)


def chromium() -> str | None:
    """The path of a Chromium on this machine, None if there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@dataclass
class Tab:
    """One page. `problems` collects what the console and the page's own scripts complain about."""

    page: Page
    context: BrowserContext
    problems: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"{message.text} {message.location.get('url', '')}")

    def failed(self, error: Error) -> None:
        self.problems.append(str(error))

    async def each_word(self, script: str) -> list[Any]:
        """The value of an expression for each word of the text, which it calls `word`."""
        words = f"[...document.querySelectorAll('.word')].map((word) => {script})"
        return list(await self.page.evaluate(words))

    async def statuses(self) -> list[str]:
        """How every word stands, in order."""
        return await self.each_word("word.dataset.status")

    async def states(self) -> str:
        """The first letter of every word's state, in order, as in "ccmp"."""
        return "".join(status[0] for status in await self.statuses())

    async def until(self, script: str, within_s: float = 30.0) -> Any:
        """Wait until the expression is true; returns its value."""
        # Playwright's own waiting evaluates in the page, which its Content-Security-Policy forbids.
        for _ in range(int(within_s / _POLL_S)):
            value = await self.page.evaluate(script)
            if value:
                return value
            await asyncio.sleep(_POLL_S)
        raise AssertionError(f"not within {within_s:g} s: {script}; {self.problems}")

    async def told(self, containing: str = "", within_s: float = 30.0) -> str:
        """Wait for a notice with these words in it; returns what it says."""
        notice = "document.getElementById('notice-text').textContent"
        return str(await self.until(f"{notice}.includes({json.dumps(containing)}) && {notice}", within_s))

    async def status(self, beginning: str, within_s: float = 30.0) -> str:
        """Wait until the line above the large button begins like this; returns all of it."""
        line = "document.getElementById('status').textContent"
        return str(await self.until(f"{line}.startsWith({json.dumps(beginning)}) && {line}", within_s))

    async def recite(self, words: int = 0) -> None:
        """Touch the large button, and wait until so many words are judged."""
        await self.page.click("#main")
        await self.judged(words)

    async def stop(self) -> None:
        """End the recitation, and wait for its result."""
        await self.page.click("#main[data-act=stop]")
        await self.page.wait_for_selector("#result[open]")

    async def judged(self, count: int, within_s: float = 30.0) -> None:
        """Wait until so many words are no longer pending."""
        pending = "document.querySelectorAll('.word:not([data-status=pending])').length"
        await self.until(f"{pending} >= {count}", within_s)


@asynccontextmanager
async def tab(
    url: str,
    *,
    size: tuple[int, int] = PHONE,
    microphone: Path | None = None,
    allowed: bool = True,
    offline_page: bool = False,
    drawn: str = ".word, #notice:not([hidden])",
    **options: Any,
) -> AsyncIterator[Tab]:
    """The page, open in a profile of its own, with its text drawn.

    `microphone`: a WAV that it hears, silence-free beeps without one. `allowed`: whether pages may use it.
    `offline_page`: lets the page keep itself for offline use, which other tests do without.
    `drawn`: a selector of what shows that the page is there.
    """
    async with AsyncExitStack() as stack:
        shared = _shared.get(asyncio.get_running_loop())
        if shared is None:
            playwright = await stack.enter_async_context(async_playwright())
            browser = await launch(playwright, microphone)
            stack.push_async_callback(browser.close)
        else:
            browser = await shared.hearing(microphone)
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            permissions=["microphone"] if allowed else [],
            service_workers="allow" if offline_page else "block",
            **options,
        )
        stack.push_async_callback(context.close)
        context.set_default_navigation_timeout(60_000)  # three pages open at once on a busy machine
        page = await context.new_page()
        opened = Tab(page, context)
        page.on("console", opened.note)
        page.on("pageerror", opened.failed)
        await page.goto(url)
        await page.wait_for_selector(drawn)
        yield opened


async def launch(playwright: Playwright, microphone: Path | None) -> Browser:
    """A Chromium whose microphone hears this WAV, beeps without one."""
    program = chromium()
    assert program is not None, "ask chromium() first"
    arguments = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
    arguments.append("--use-fake-device-for-media-stream")
    if microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    return await playwright.chromium.launch(executable_path=program, args=arguments)


class _Browsers:
    """One Chromium for each sound that microphones hear, as long as the tests of a module run."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._launched: dict[Path | None, asyncio.Task[Browser]] = {}

    async def hearing(self, microphone: Path | None) -> Browser:
        if microphone not in self._launched:
            started = launch(self._playwright, microphone)
            self._launched[microphone] = asyncio.create_task(started, name=f"launch {microphone}")
        return await asyncio.shield(self._launched[microphone])

    async def close(self) -> None:
        for browser in await asyncio.gather(*self._launched.values()):
            await browser.close()


_shared: dict[asyncio.AbstractEventLoop, _Browsers] = {}
"""Playwright's browsers belong to the loop that they were launched in."""


@asynccontextmanager
async def shared_browsers() -> AsyncIterator[None]:
    """Every `tab` of this event loop takes its browser from here."""
    loop = asyncio.get_running_loop()
    async with async_playwright() as playwright:
        browsers = _shared[loop] = _Browsers(playwright)
        try:
            yield
        finally:
            del _shared[loop]
            await browsers.close()
