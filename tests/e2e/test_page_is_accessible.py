"""The page for everybody: axe finds nothing serious in any state or theme, and a keyboard is enough."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from tests.e2e.browser import PHONE, Tab, chromium, tab
from tests.e2e.microphones import voice, write_wav
from tests.e2e.scripted_service import Connection, scripted
from tests.e2e.sizes import SIZES, at_every_size

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("browsers"),
]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
LATIN = r"[A-Za-z]{2,}"


async def recite(connection: Connection) -> None:
    await connection.ready()
    await connection.heard(0.3)
    await connection.partial(0, "cccccmwxccc", pointer=11)
    await connection.asked("end")
    await connection.final("cccccmwxccccccc")


EVERYTHING = "{resultTypes: ['violations']}"
COLOURS = "{resultTypes: ['violations'], runOnly: ['color-contrast']}"
BUT_COLOURS = "{resultTypes: ['violations'], rules: {'color-contrast': {enabled: false}}}"


async def findings(page: Tab, where: str, rules: str = EVERYTHING) -> list[str]:
    """What axe calls serious or critical."""
    if not await page.page.evaluate("typeof axe === 'object'"):
        await page.page.evaluate(f"{{{AXE}}}; true")
    found: Any = await page.page.evaluate(f"axe.run({rules})")
    return [
        f"{where}: {violation['id']} at {node['target']}: {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


async def in_every_theme(page: Tab, where: str) -> list[str]:
    """Themes differ in colours alone."""
    await page.page.evaluate("document.documentElement.dataset.theme = 'light'")
    found = await findings(page, f"{where}, light")
    for theme in ("sepia", "dark"):
        await page.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        found += await findings(page, f"{where}, {theme}", COLOURS)
    if page.page.viewport_size != {"width": PHONE[0], "height": PHONE[1]}:
        return found
    # The device's own colours, which axe does not see.
    await page.page.emulate_media(forced_colors="active")
    found += await findings(page, f"{where}, forced colours", BUT_COLOURS)
    await page.page.emulate_media(forced_colors="none")
    return found


async def every_state(page: Tab) -> list[str]:
    """axe in each state that a reciter meets, one after the other."""
    found = await in_every_theme(page, "idle")
    for opener, sheet in (("#choose", "#chooser"), ("#more-open", "#more"), ("#history-open", "#history")):
        await page.page.click(opener)
        await page.page.wait_for_selector(f"{sheet}[open]")
        found += await in_every_theme(page, sheet)
        await page.page.keyboard.press("Escape")
    await page.recite(11)
    found += await in_every_theme(page, "reciting")
    await page.stop()
    found += await in_every_theme(page, "result")
    await page.page.keyboard.press("Escape")
    await page.page.locator(".word").nth(6).click()
    await page.page.wait_for_selector("#word[open] .sounds div")
    await page.page.click("#word-own")
    found += await in_every_theme(page, "word")
    await page.page.keyboard.press("Escape")
    await page.page.click("#mode-open")
    await page.page.wait_for_selector("#modes[open]")
    found += await in_every_theme(page, "modes")
    await page.page.click("#modes [data-mode=memorise]")
    found += await in_every_theme(page, "memorise")
    await page.page.click("#history-open")
    await page.page.wait_for_selector("#history[open] .chart")
    return found + await in_every_theme(page, "history")


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
async def test_axe_finds_nothing_serious_in_any_state_and_theme(
    microphone: Path, size: tuple[int, int]
) -> None:
    locale = "en" if size == PHONE else "ar"
    async with (
        scripted(recite) as service,
        tab(
            f"{service.url}?verses=112",
            size=size,
            microphone=microphone,
            locale=locale,
            reduced_motion="reduce",  # a colour is looked at once it is there
        ) as page,
    ):
        found = await every_state(page)
    assert found == []
    assert page.problems == []


@at_every_size
async def test_notices_are_accessible_in_every_theme(microphone: Path, size: tuple[int, int]) -> None:
    async def poor(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.3)
        await connection.partial(
            0, "cccc", pointer=4, audio_quality={"level": "poor", "reason": "noise"}, server_busy=True
        )
        await connection.pong()

    async def refuse(connection: Connection) -> None:
        await connection.error("unauthorised")
        await connection.close(4502)

    async with (
        scripted(poor, refuse) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(4)
        await page.told("too poor")
        found = await in_every_theme(page, "poor sound")
        await service.connections[0].error("no_capacity", retry_after_s=60)
        await service.connections[0].close(4013)
        await page.status("All places are taken")
        found += await in_every_theme(page, "full")
        await page.page.click("#main[data-act=cancel]")
        await page.page.click("#result [data-close]")
        await page.page.click("#main[data-act=recite]")
        await page.told("access key")
        found += await in_every_theme(page, "refused")
        role = await page.page.get_attribute("#notice-text", "role")
    assert found == []
    assert role == "alert"


async def test_listening_is_accessible_in_every_theme(tmp_path: Path) -> None:
    write_wav(voice(30.0), tmp_path / "112001.wav")
    async with (
        scripted(reference_recitation=str(tmp_path)) as service,
        tab(f"{service.url}?verses=112&mode=listen") as page,
    ):
        await page.page.click("#main[data-act=play]")
        await page.until("document.querySelector('.verse[data-playing]')")
        found = await in_every_theme(page, "listen")
    assert found == []


@at_every_size
async def test_a_keyboard_is_enough(microphone: Path, size: tuple[int, int]) -> None:
    focused = "document.activeElement.id || document.activeElement.dataset.index"
    async with (
        scripted(recite) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        order = []
        for _ in range(7):
            await page.page.keyboard.press("Tab")
            order.append(await page.page.evaluate(f"({focused}) ?? document.activeElement.className"))
        await page.page.locator(".word").first.focus()
        for key in ("ArrowLeft", "ArrowLeft", "ArrowRight"):
            await page.page.keyboard.press(key)
        word = await page.page.evaluate(focused)
        await page.page.keyboard.press("Enter")
        await page.page.wait_for_selector("#word[open]")
        await page.page.keyboard.press("Escape")
        back = await page.page.evaluate(focused)
        await page.page.focus("#main")
        await page.page.keyboard.press("Enter")
        await page.judged(11)
        await page.page.focus("#main")
        await page.page.keyboard.press("Enter")
        await page.page.wait_for_selector("#result[open]")
    assert order[0] == "skip"
    assert order[1:5] == ["choose", "history-open", "more-open", "0"]
    assert "main" in order
    assert (word, back) == ("1", "1")


async def test_words_have_shapes_where_colours_are_forced(microphone: Path) -> None:
    shape = """[...document.querySelectorAll('.word')].slice(5, 8).map((word) => {
      const mark = getComputedStyle(word, '::after');
      return [mark.display, mark.maskImage, mark.backgroundColor];
    })"""
    async with (
        scripted(recite) as service,
        tab(f"{service.url}?verses=112", microphone=microphone, forced_colors="active") as page,
    ):
        await page.recite(11)
        shapes = await page.page.evaluate(shape)
    assert [display for display, _, _ in shapes] == ["block"] * 3
    assert len({picture for _, picture, _ in shapes}) == 3
    assert {colour for _, _, colour in shapes} != {"rgba(0, 0, 0, 0)"}


async def test_the_page_is_arabic_for_those_who_read_arabic(microphone: Path) -> None:
    async with (
        scripted(recite) as service,
        tab(f"{service.url}?verses=112", microphone=microphone, locale="ar-EG") as page,
    ):
        await page.recite(11)
        await page.stop()
        text = await page.page.inner_text("body")
        result = await page.page.inner_text("#result-right")
        direction = await page.page.evaluate("getComputedStyle(document.body).direction")
        await page.page.keyboard.press("Escape")
        await page.page.click("#more-open")
        await page.page.check("input[name=language][value=en]")
        english = await page.page.inner_text("#more-title")
    assert direction == "rtl"
    assert result == "الصحيح ١٢ من ١٥ كلمة"
    assert english == "More"
    # The name of the program, the other language's own name, and what cannot be translated.
    allowed = {"Rattil", "English"}
    assert set(re.findall(LATIN, text)) <= allowed
    assert re.findall("[0-9]", text) == []  # numbers as the language writes them


async def test_everything_is_reachable_at_200_percent() -> None:
    """At twice the zoom a desktop window is as wide as 640 pixels."""
    wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    async with scripted() as service, tab(f"{service.url}?verses=2:255", size=(640, 400)) as page:
        fits = await page.page.evaluate(wide)
        await page.page.click("#choose")
        opens = await page.page.locator("#open").is_visible()
    async with scripted() as service, tab(f"{service.url}?verses=2:255", size=(320, 640)) as page:
        narrow = await page.page.evaluate(wide)
        main = await page.page.locator("#main").is_visible()
    assert (fits, opens, narrow, main) == (True, True, True, True)
