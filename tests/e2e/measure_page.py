"""Measures the page in a real browser: `python -m tests.e2e.measure_page`. docs/page.md holds the figures."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import async_playwright

from tests.e2e.browser import PHONE, chromium, tab
from tests.e2e.microphones import voice, write_wav
from tests.e2e.scripted_service import scripted
from tests.e2e.walking import WATCH, walk

SLOW_4G: Final = {"offline": False, "latency": 150, "downloadThroughput": 204_800, "uploadThroughput": 93_750}
"""Lighthouse's slow 4G: 150 ms there and back, 1.6 Mbit/s down, 750 kbit/s up."""
LONG_PASSAGE: Final = "2:62-138"
SHARES: Final = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
"""Of the browser's own account of its main thread; all of it, and what of it is whose."""
PAINTS: Final = """performance.getEntriesByType('paint').map(({name, startTime}) => [name, startTime])"""
BYTES: Final = """performance.getEntriesByType('resource')
  .concat(performance.getEntriesByType('navigation'))
  .map(({name, transferSize}) => [new URL(name).pathname, transferSize])"""


async def first_paint(url: str, *, slow: bool) -> dict[str, Any]:
    """Times of a first visit, ms, and what came over the line, bytes."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = await browser.new_context(
            viewport={"width": PHONE[0], "height": PHONE[1]}, service_workers="block"
        )
        page = await context.new_page()
        if slow:
            devtools = await context.new_cdp_session(page)
            await devtools.send("Network.enable")
            await devtools.send("Network.emulateNetworkConditions", SLOW_4G)
        await page.goto(url)
        await page.wait_for_selector(".word")
        drawn = await page.evaluate("performance.now()")
        paints = dict(await page.evaluate(PAINTS))
        sizes = dict(await page.evaluate(BYTES))
        await browser.close()
    fonts = sum(size for name, size in sizes.items() if name.endswith(".woff2"))
    return {
        "first_contentful_paint_ms": round(paints["first-contentful-paint"]),
        "text_drawn_ms": round(drawn),
        "fonts_bytes": fonts,
        "other_bytes": sum(sizes.values()) - fonts,
    }


async def main_thread(url: str, microphone: Path, seconds: float) -> dict[str, Any]:
    """What reciting costs the page's main thread, by the browser's own account."""
    async with tab(url, microphone=microphone) as opened:
        devtools = await opened.context.new_cdp_session(opened.page)
        await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        words = await opened.page.locator(".word").count()
        await opened.page.click("#main")
        await opened.judged(1)
        before = await metrics(devtools)
        await asyncio.sleep(seconds)
        after = await metrics(devtools)
    passed = seconds
    return {
        "words": words,
        "seconds": passed,
        **{name: round((after[name] - before[name]) / passed, 4) for name in SHARES},
    }


async def metrics(devtools: Any) -> dict[str, float]:
    answer = await devtools.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in answer["metrics"]}


async def following(url: str, microphone: Path, words: int) -> dict[str, Any]:
    """How much of the time the current word is in view, and whether anything moved by itself."""
    async with tab(url, microphone=microphone) as opened:
        await opened.page.evaluate(WATCH)
        await opened.page.click("#main")
        await opened.judged(words - 3, within_s=150)
        seen: dict[str, Any] = await opened.page.evaluate("seen")
        return seen


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        microphone = write_wav(voice(110), Path(folder) / "voice.wav")
        async with scripted() as service:
            for slow in (False, True):
                print(
                    "slow 4G" if slow else "this machine",
                    await first_paint(f"{service.url}?verses=78", slow=slow),
                )
        async with scripted(walk(1500, every_s=0.5)) as service:
            print("reciting", await main_thread(f"{service.url}?verses={LONG_PASSAGE}", microphone, 30))
        async with scripted(walk(173, every_s=0.5)) as service:
            print("following", await following(f"{service.url}?verses=78", microphone, 173))


if __name__ == "__main__":
    asyncio.run(main())
