"""Makes the pictures of docs/page.md: `python -m tests.e2e.screenshots`.

The page is the real one, in a real browser; what the service says is scripted.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.e2e.browser import DESK, PHONE, SIDEWAYS, Tab, tab
from tests.e2e.microphones import voice, write_wav
from tests.e2e.scripted_service import Connection, Script, scripted

FOLDER: Final = Path(__file__).parent.parent.parent / "docs" / "page"
FATIHA: Final = "c" * 11 + "x" + "c" * 6 + "m" + "c" * 4 + "w" + "ccccc"
PAST: Final = """(async () => {
  const {keep} = await import('/history/history.js');
  const {fetchText} = await import('/passage/verses.js');
  const passage = {surah: 112, ayah: 1, to: 4};
  const printed = await fetchText(passage);
  const mistakes = [[2, 3, 5, 8, 12], [5, 8, 9, 12], [3, 5, 12], [5, 8, 12], [5, 12], [8, 12], [5, 8], [12]];
  for (const [turn, wrong] of mistakes.entries()) {
    const words = printed.words.map((_, index) => ({
      status: wrong.includes(index) ? (index % 2 ? 'wrong' : 'missing') : 'correct',
    }));
    const at = Date.UTC(2026, 9, 3 + 4 * turn, 17, 20);
    await keep({passage, mode: 'memorise', seconds: 14, printed, words, peeked: new Set(), at});
  }
})()"""


def says(
    states: str, pointer: int, *, end: bool = True, after_s: float = 0.4, sounds: dict[int, str] | None = None
) -> Script:
    """Shows these states after so much sound; `sounds`: what was heard, by the index of the word."""

    async def script(connection: Connection) -> None:
        connection.sounds = sounds or {}
        await connection.ready()
        await connection.heard(after_s)
        await connection.partial(0, states[:pointer], pointer=pointer)
        if end:
            await connection.asked("end")
            await connection.final(states)
        await connection.pong()

    return script


async def loses(connection: Connection) -> None:
    await connection.ready()
    await connection.heard(0.4)
    await connection.partial(0, "cccwccccc", pointer=9)
    await connection.error("no_capacity", retry_after_s=24)
    await connection.close(4013)


@asynccontextmanager
async def page(script: Script, query: str, **options: Any) -> AsyncIterator[Tab]:
    with tempfile.TemporaryDirectory() as folder:
        heard = write_wav(voice(), Path(folder) / "voice.wav")
        reference = Path(folder) / "reference"
        reference.mkdir()
        write_wav(voice(1.0), reference / "001001.wav")
        scale = 1 if options.get("size") == DESK else 1.5
        async with (
            scripted(script, reference_recitation=str(reference)) as service,
            tab(f"{service.url}{query}", microphone=heard, device_scale_factor=scale, **options) as opened,
        ):
            await opened.page.wait_for_selector("#modes [data-mode=listen]:not([hidden])", state="attached")
            yield opened


async def shoot(opened: Tab, name: str) -> None:
    await opened.page.mouse.move(0, 0)
    await opened.page.wait_for_timeout(700)
    await opened.page.screenshot(path=FOLDER / f"{name}.png")


async def theme(opened: Tab, name: str) -> None:
    await opened.page.evaluate(f"document.documentElement.dataset.theme = '{name}'")


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    # The last sound of a word that was swallowed.
    heard = {23: "ʕ a l a j h i"}
    async with page(says(FATIHA, 25, after_s=12.5, sounds=heard), "?verses=1") as opened:
        await shoot(opened, "read")
        await opened.page.click("#main")
        await opened.judged(25)
        await opened.page.wait_for_timeout(700)
        await opened.page.evaluate("window.scrollTo({top: 0, behavior: 'instant'})")
        await shoot(opened, "reciting")
        await opened.page.click("#main")
        await opened.page.wait_for_selector("#result[open]")
        await shoot(opened, "result")
        await opened.page.keyboard.press("Escape")
        await opened.page.locator(".word").nth(23).click()
        await opened.page.wait_for_selector("#word[open] .sounds div")
        await shoot(opened, "word")
    async with page(says("c" * 40, 9, end=False), "?verses=112&mode=memorise", size=PHONE) as opened:
        await theme(opened, "sepia")
        await opened.page.click("#main")
        await opened.judged(9)
        await opened.page.click("#hint")
        await shoot(opened, "memorise")
    async with page(says("c" * 40, 24, end=False), "?verses=2:255-257", size=DESK) as opened:
        await opened.page.click("#main")
        await opened.judged(24)
        await shoot(opened, "desk")
    async with page(
        says("c" * 60, 21, end=False), "?verses=78", size=SIDEWAYS, color_scheme="dark"
    ) as opened:
        await opened.page.click("#main")
        await opened.judged(21)
        await shoot(opened, "sideways")
    async with page(says("c", 1), "?verses=36", locale="ar") as opened:
        await opened.page.click("#choose")
        await opened.page.wait_for_selector("#chooser[open]")
        await shoot(opened, "chooser")
    async with page(says("c", 1), "?verses=112", color_scheme="dark") as opened:
        await opened.page.evaluate(PAST)
        await opened.page.click("#history-open")
        await opened.page.wait_for_selector("#history[open] .chart")
        await shoot(opened, "history")
    async with page(loses, "?verses=93") as opened:
        await opened.page.click("#main")
        await opened.until("document.getElementById('status').textContent.includes('again in')")
        await shoot(opened, "full")


if __name__ == "__main__":
    asyncio.run(main())
