"""The page follows the reciter, never jumps while it is read, and opens without a network."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.browser import SIDEWAYS, chromium, tab
from tests.e2e.microphones import voice, write_wav
from tests.e2e.scripted_service import Connection, scripted
from tests.e2e.sizes import at_every_size
from tests.e2e.walking import WATCH, walk

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("browsers"),
]

NABA_WORDS = 173
NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
CURRENT = "Number(document.querySelector('[aria-current]')?.dataset.index ?? -1)"


@at_every_size
async def test_the_place_stays_in_view_through_a_whole_sura(microphone: Path, size: tuple[int, int]) -> None:
    script = walk(NABA_WORDS, a_time=3, every_s=0.4)
    async with (
        scripted(script) as service,
        tab(f"{service.url}?verses=78", size=size, microphone=microphone) as page,
    ):
        await page.page.evaluate(WATCH)
        await page.page.click("#main")
        await page.until(f"{CURRENT} >= {NABA_WORDS - 3}", within_s=90)
        seen = await page.page.evaluate("seen")
    assert seen["frames"] > 100
    assert seen["inView"] >= 0.98 * seen["frames"], seen
    assert seen["reachable"] == seen["frames"], seen
    assert seen["shift"] == 0, seen


@at_every_size
async def test_the_place_is_marked_without_laying_out_the_passage_again(
    microphone: Path, size: tuple[int, int]
) -> None:
    """A box that changed its size would make the browser do so, at every word."""
    boxes = """(() => {
      const {inset, borderBlockEndWidth, width, height, display} = getComputedStyle(word, '::before');
      const at = word.getBoundingClientRect();
      return [inset, borderBlockEndWidth, width, height, display, at.left, at.width].join();
    })()"""
    async with (
        scripted(walk(9, a_time=3, every_s=0.3, finish=False)) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        before = await page.each_word(boxes)
        await page.page.click("#main")
        await page.until(f"{CURRENT} === 9")
        reciting = await page.each_word(boxes)
    assert reciting == before


@at_every_size
async def test_the_page_goes_back_with_a_reciter_who_begins_again(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def restart(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.3)
        await connection.partial(0, "c" * 100, pointer=100)

    async with (
        scripted(restart) as service,
        tab(f"{service.url}?verses=78", size=size, microphone=microphone) as page,
    ):
        await page.page.click("#main")
        await page.until(f"{CURRENT} === 100")
        await page.until("scrollY > 300")
        await service.connections[0].partial(1, "c" * 100, pointer=0)
        await page.until(f"{CURRENT} === 0")
        await page.until("document.querySelector('.word').getBoundingClientRect().top > 40")


@at_every_size
async def test_no_line_is_cut_off_by_the_edge_of_the_screen(size: tuple[int, int]) -> None:
    """Every line of the text is seen whole, with its marks, or not at all once the page rests."""
    cut = """(() => {
      const cover = document.getElementById('last-line');
      const bar = document.querySelector('.bar').getBoundingClientRect();
      const bottom = bar.top > 100 ? bar.top : innerHeight;
      const edge = cover.hidden ? bottom : cover.getBoundingClientRect().top;
      if (!cover.hidden && Math.abs(cover.getBoundingClientRect().bottom - bottom) > 1) return ['a gap'];
      const verses = document.querySelector('.verses');
      const em = parseFloat(getComputedStyle(verses).fontSize);
      const cut = [];
      for (const word of verses.querySelectorAll('.word')) {
        // The font's box goes .63 below the baseline; ink goes from 1.45 above it to .93 below.
        const baseline = word.getBoundingClientRect().bottom - .63 * em;
        const [from, to] = [baseline - 1.45 * em, baseline + .93 * em];
        if (from + 1 < edge && to - 1 > edge) cut.push(word.textContent);
      }
      return cut;
    })()"""
    sign = """(() => {
      const cover = document.getElementById('last-line');
      const {height, maskImage, backgroundColor} = getComputedStyle(cover, '::after');
      return cover.hidden || (cover.offsetHeight > 15 && parseFloat(height) > 4
        && maskImage.includes('goes_on') && backgroundColor.startsWith('rgb('));
    })()"""
    seen = []
    goes_on = []
    async with scripted() as service, tab(f"{service.url}?verses=78", size=size) as page:
        for scroll in (0, 37, 211, 400, 10_000):
            await page.page.evaluate(f"window.scrollTo({{top: {scroll}, behavior: 'instant'}})")
            await page.page.evaluate(NEXT_FRAME)  # the page knows that it was scrolled
            await page.until(f"{cut}.length === 0", within_s=5)
            seen.append(await page.page.evaluate("document.getElementById('last-line').hidden"))
            goes_on.append(await page.page.evaluate(sign))
        await page.page.evaluate("window.scrollTo({top: 0, behavior: 'instant'})")
        await page.page.locator(".word").first.focus()
        for _ in range(12):
            await page.page.keyboard.press("ArrowDown")
        focused = await page.page.evaluate("document.activeElement.dataset.index")
        covered = """(() => {
          const cover = document.getElementById('last-line');
          const {bottom} = document.activeElement.getBoundingClientRect();
          return !cover.hidden && bottom > cover.getBoundingClientRect().top;
        })()"""
        await page.until(f"!{covered}", within_s=5)
    assert False in seen  # a line was covered
    assert all(goes_on)  # what is covered does not look like the end
    assert seen[-1]  # the last one never is
    assert focused == "60"


@pytest.mark.parametrize(("motion", "way"), [("reduce", "instant"), ("no-preference", "smooth")])
async def test_nothing_glides_for_those_who_want_less_motion(
    microphone: Path, motion: Literal["reduce", "no-preference"], way: str
) -> None:
    async def script(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.3)
        await connection.partial(0, "c" * 90, pointer=90)

    watch = """{
      window.ways = [];
      const real = window.scrollBy.bind(window);
      window.scrollBy = (where) => { ways.push(where.behavior); real(where); };
    } true"""
    async with (
        scripted(script) as service,
        tab(f"{service.url}?verses=78&mode=memorise", microphone=microphone, reduced_motion=motion) as page,
    ):
        await page.page.evaluate(watch)
        fades = await page.each_word("getComputedStyle(word).transitionDuration")
        await page.page.click("#main")
        await page.until(f"{CURRENT} === 90 && ways.length")
        ways = await page.page.evaluate("ways")
    assert set(ways) == {way}
    assert set(fades) == ({"0s"} if motion == "reduce" else {"0.25s"})


@at_every_size
async def test_the_page_does_not_move_under_a_reader(microphone: Path, size: tuple[int, int]) -> None:
    async with (
        scripted(walk(60, a_time=2, every_s=0.5)) as service,
        tab(f"{service.url}?verses=78", size=size, microphone=microphone) as page,
    ):
        await page.page.click("#main")
        await page.until(f"{CURRENT} >= 8")
        await page.page.mouse.move(200, 300)
        await page.page.mouse.wheel(0, 2500)
        await page.page.wait_for_selector("#come-back:not([hidden])")
        before = await page.page.evaluate("scrollY")
        await page.until(f"{CURRENT} >= 40")
        after = await page.page.evaluate("scrollY")
        await page.page.click("#come-back")
        await page.page.wait_for_selector("#come-back", state="hidden")
        await page.until(f"Math.abs(scrollY - {before}) > 200")
    assert before == after


async def test_after_the_first_visit_the_page_opens_without_a_network(microphone: Path) -> None:
    kept = """(async () => {
      const names = await caches.keys();
      const page = names.find((name) => name.startsWith('rattil-page-'));
      const worker = (await navigator.serviceWorker.getRegistration())?.active;
      if (!page || worker?.state !== 'activated') return false;
      const files = (await (await fetch('page.json')).json()).files;
      return (await (await caches.open(page)).keys()).length === files.length;
    })()"""
    async with AsyncExitStack() as stack:
        service_stack = await stack.enter_async_context(AsyncExitStack())
        service = await service_stack.enter_async_context(scripted())
        page = await stack.enter_async_context(
            tab(f"{service.url}?verses=112", microphone=microphone, offline_page=True)
        )
        await page.until(kept)
        await page.page.reload()  # the first visit that the service worker sees from its beginning
        await page.page.wait_for_selector(".word")
        await page.until("caches.open('rattil-text').then((text) => text.keys()).then((k) => k.length >= 2)")
        await service_stack.aclose()
        await page.page.reload()
        await page.page.wait_for_selector(".word")
        words = await page.page.locator(".word").count()
        font = await page.page.evaluate("document.fonts.check('16px \"Rattil Quran\"', 'ب')")
        basmala = await page.page.inner_text(".basmala")
        manifest = await page.page.evaluate("document.querySelector('link[rel=manifest]').href")
    assert words == 15
    assert font
    assert basmala.startswith("بِسْمِ")
    assert manifest.endswith("manifest.webmanifest")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two verses of sura 112."""
    folder = tmp_path_factory.mktemp("reference")
    for ayah in (1, 2):
        write_wav(voice(1.0), folder / f"11200{ayah}.wav")
    return folder


@at_every_size
async def test_a_reference_recitation_plays_and_marks_its_verse(
    reference: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(reference_recitation=str(reference)) as service,
        tab(f"{service.url}?verses=112&mode=listen", size=size) as page,
    ):
        await page.page.wait_for_selector("#main[data-act=play]")
        await page.page.click("#main")
        await page.until("document.querySelector('.verse[data-playing]')?.dataset.ayah === '1'")
        await page.until("document.querySelector('.verse[data-playing]')?.dataset.ayah === '2'")
        await page.page.wait_for_selector("#notice:not([hidden])")  # there is no third verse
        told = await page.page.inner_text("#notice-text")
    assert "no reference recitation" in told


@at_every_size
async def test_the_text_is_in_view_behind_a_sheet_and_no_line_is_cut_by_it(
    microphone: Path, size: tuple[int, int]
) -> None:
    behind = """(() => {
      const sheet = document.querySelector('dialog[open]');
      const {backdropFilter, backgroundColor} = getComputedStyle(sheet, '::backdrop');
      return [backdropFilter, backgroundColor.match(/[\\d.]+(?=\\)$)/)?.[0]];
    })()"""
    touched = """(() => {
      const top = document.querySelector('.top').getBoundingClientRect().bottom;
      const sheet = document.querySelector('dialog[open]').getBoundingClientRect();
      const cover = document.getElementById('last-line');
      const edge = cover.hidden ? sheet.top : cover.getBoundingClientRect().top;
      const word = document.querySelector('.word[data-touched]').getBoundingClientRect();
      const em = parseFloat(getComputedStyle(document.querySelector('.verses')).fontSize);
      return word.top >= top - .4 * em && word.bottom + .3 * em < edge + 1;
    })()"""
    cut = """(() => {
      const sheet = document.querySelector('dialog[open]').getBoundingClientRect();
      const cover = document.getElementById('last-line');
      const edge = cover.hidden ? sheet.top : cover.getBoundingClientRect().top;
      const em = parseFloat(getComputedStyle(document.querySelector('.verses')).fontSize);
      return [...document.querySelectorAll('.word')].filter((word) => {
        const baseline = word.getBoundingClientRect().bottom - .63 * em;
        return baseline - 1.45 * em + 1 < edge && baseline + .93 * em - 1 > edge;
      }).length;
    })()"""
    async with (
        scripted(walk(29, a_time=29)) as service,
        tab(f"{service.url}?verses=1", size=size, microphone=microphone) as page,
    ):
        await page.recite(29)
        await page.stop()
        blurred, opacity = await page.page.evaluate(behind)
        await page.until(f"{cut} === 0")
        await page.page.keyboard.press("Escape")
        for word in (0, 28):
            await page.page.locator(".word").nth(word).scroll_into_view_if_needed()
            await page.page.evaluate(f"document.querySelectorAll('.word')[{word}].click()")
            await page.page.wait_for_selector("#word[open] .sounds div")
            await page.until(f"{touched} && {cut} === 0")
            await page.page.keyboard.press("Escape")
            await page.until("!document.querySelector('[data-touched]')")
    assert blurred == "none"
    assert 0.3 < float(opacity) < 0.8


@at_every_size
async def test_lines_end_at_the_edge_of_the_window_before_anything_moves(size: tuple[int, int]) -> None:
    """No band of empty paper: what is left beside whole lines is room between them and around the head."""
    strip = """(() => {
      const cover = document.getElementById('last-line');
      return cover.hidden ? 0 : cover.offsetHeight;
    })()"""
    async with scripted() as service:
        for verses in ("78", "2:255-286", "1"):
            async with tab(f"{service.url}?verses={verses}", size=size) as page:
                await page.until(f"{strip} <= 18")
                head = await page.page.evaluate(
                    "document.querySelector('#mushaf h2').getBoundingClientRect().top"
                    " - document.querySelector('.top').getBoundingClientRect().bottom"
                )
            assert head > 0


@at_every_size
async def test_the_warning_is_in_view_whatever_is_looked_at(size: tuple[int, int]) -> None:
    seen = """(() => {
      const place = document.querySelector('%s .caution').getBoundingClientRect();
      const inside = place.top >= 0 && place.bottom <= innerHeight && place.height > 0;
      const under = document.elementFromPoint(place.x + place.width / 2, place.y + place.height / 2);
      return inside && Boolean(under?.closest('.caution'));
    })()"""
    async with scripted() as service, tab(f"{service.url}?verses=78", size=size) as page:
        at_the_top = await page.page.evaluate(seen % ".bar")
        said = await page.page.inner_text(".bar .caution")
        await page.page.evaluate("window.scrollTo({top: 1500, behavior: 'instant'})")
        below = await page.page.evaluate(seen % ".bar")
        await page.page.locator(".word").nth(40).scroll_into_view_if_needed()
        await page.page.evaluate("document.querySelectorAll('.word')[40].click()")
        on_a_sheet = await page.page.evaluate(seen % "#word")
    assert said == "Automatic feedback can be wrong and does not replace a teacher."
    assert (at_the_top, below) == (True, True)
    assert on_a_sheet or size == SIDEWAYS  # there the one in the bar stays in view beside the sheet
