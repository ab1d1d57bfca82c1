"""What is chosen on the page: passage, colours, size of the text, language; how it is installed."""

from __future__ import annotations

import json

import pytest

from tests.e2e.browser import Tab, chromium, tab
from tests.e2e.scripted_service import scripted
from tests.e2e.sizes import at_every_size

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("browsers"),
]

CHOSEN = "new URL(location).searchParams.get('verses')"


async def opened(page: Tab, passage: str) -> None:
    await page.page.click("#open")
    await page.until(f"{CHOSEN} === '{passage}'")
    await page.page.wait_for_selector(".word")


@at_every_size
async def test_a_passage_is_chosen_by_sura_verses_juz_or_page(size: tuple[int, int]) -> None:
    async with scripted() as service, tab(f"{service.url}?verses=112", size=size) as page:
        await page.page.click("#choose")
        await page.page.fill("#search", "naba")
        await page.page.click("#choices button")
        await page.page.fill("#from", "31")
        await page.page.fill("#to", "99")  # there are 40
        await opened(page, "78:31-40")
        await page.page.click("#choose")
        await page.page.click("#whole")
        await opened(page, "78:1-40")
        await page.page.click("#choose")
        await page.page.check("input[value=juz]")
        of_juz = await page.page.input_value("#division-number")
        await page.page.fill("#division-number", "1")
        parts = await page.page.locator("#choices button .about").all_inner_texts()
        await page.page.locator("#choices button").nth(0).click()
        await opened(page, "1:1-7")
        await page.page.click("#choose")
        await page.page.check("input[value=page]")
        await page.page.fill("#division-number", "604")
        on_page = await page.page.locator("#choices button .place").all_inner_texts()
        await page.page.locator("#choices button").nth(2).click()
        await opened(page, "114:1-6")
        name = await page.page.inner_text("#passage-name")
    assert of_juz == "30"
    assert parts == ["verses 1 to 7", "verses 1 to 141"]
    assert on_page == ["112", "113", "114"]
    assert name == "an-Nas 114:1–6"


@at_every_size
async def test_the_list_of_suras_shows_whole_rows_and_says_that_it_goes_on(size: tuple[int, int]) -> None:
    rows = """(() => {
      const list = document.getElementById('choices');
      const {top, bottom} = list.getBoundingClientRect();
      const cut = [...list.children].filter((row) => {
        const place = row.getBoundingClientRect();
        return [top, bottom].some((edge) => place.top < edge - 1 && place.bottom > edge + 1);
      });
      return [cut.length, list.hasAttribute('data-more')];
    })()"""
    async with scripted() as service:
        for locale in ("en", "ar"):
            async with tab(f"{service.url}?verses=36", size=size, locale=locale) as page:
                await page.page.click("#choose")
                first = await page.page.evaluate(rows)
                await page.page.evaluate("document.getElementById('choices').scrollTop = 99999")
                await page.until(f"!{rows}[1]")
                last = await page.page.evaluate(rows)
                await page.page.fill("#search", "36")
                few = await page.page.evaluate(rows)
            assert (first, last, few) == ([0, True], [0, False], [0, False]), locale


@at_every_size
async def test_the_sheet_of_the_passage_cuts_neither_the_basmala_nor_a_line(size: tuple[int, int]) -> None:
    cut = """(() => {
      const cover = document.getElementById('last-line');
      const sheet = document.querySelector('dialog[open]').getBoundingClientRect();
      const edge = cover.hidden ? sheet.top : cover.getBoundingClientRect().top;
      const {top, bottom} = document.querySelector('.basmala').getBoundingClientRect();
      const bar = document.querySelector('.top').getBoundingClientRect().bottom;
      return edge > bar && top + 1 < edge && bottom - 1 > edge;
    })()"""
    async with scripted() as service, tab(f"{service.url}?verses=36", size=size, locale="ar") as page:
        await page.page.click("#choose")
        await page.page.wait_for_selector("#chooser[open]")
        await page.until(f"!{cut}", within_s=5)


@at_every_size
async def test_a_sura_is_found_by_its_number_in_either_kind_of_digits(size: tuple[int, int]) -> None:
    async with (
        scripted() as service,
        tab(f"{service.url}?verses=112", size=size, locale="ar") as page,
    ):
        await page.page.click("#choose")
        found = []
        for wanted in ("36", "\u0663\u0666", "\u064a\u0633"):
            await page.page.fill("#search", wanted)
            found.append(await page.page.locator("#choices button .place").first.inner_text())
    assert found == ["\u0663\u0666"] * 3


@pytest.mark.parametrize(
    ("locale", "numbers"),
    [("en", ("36", "1", "83")), ("ar", ("\u0663\u0666", "\u0661", "\u0668\u0663"))],
)
async def test_sura_and_verses_are_read_in_the_direction_of_the_language(
    locale: str, numbers: tuple[str, ...]
) -> None:
    places = """numbers => {
      const text = document.getElementById('passage-name').firstChild;
      let from = 0;
      return numbers.map(number => {
        const range = document.createRange(), at = text.data.indexOf(number, from);
        from = at + number.length;
        range.setStart(text, at);
        range.setEnd(text, from);
        return range.getBoundingClientRect().left;
      });
    }"""
    async with scripted() as service, tab(f"{service.url}?verses=36", locale=locale) as page:
        lefts = await page.page.evaluate(places, list(numbers))
    assert lefts == sorted(lefts, reverse=locale == "ar")
    assert len(set(lefts)) == 3


@at_every_size
async def test_colours_and_size_are_chosen_and_kept(size: tuple[int, int]) -> None:
    paper = "getComputedStyle(document.getElementById('mushaf')).backgroundColor"
    height = "parseFloat(getComputedStyle(document.querySelector('.verses')).fontSize)"
    async with (
        scripted() as service,
        tab(f"{service.url}?verses=112", size=size, color_scheme="dark") as page,
    ):
        seen = {"system": await page.page.evaluate(paper)}
        medium = await page.page.evaluate(height)
        await page.page.click("#more-open")
        for theme in ("light", "dark", "sepia"):
            await page.page.check(f"input[name=theme][value={theme}]")
            seen[theme] = await page.page.evaluate(paper)
        await page.page.check("input[name=size][value=large]")
        await page.page.reload()
        await page.page.wait_for_selector(".word")
        kept = await page.page.evaluate(paper)
        large = await page.page.evaluate(height)
    assert seen["system"] == seen["dark"]  # as the device has it
    assert len({seen["light"], seen["dark"], seen["sepia"]}) == 3
    assert kept == seen["sepia"]
    assert large > medium


@at_every_size
async def test_the_mode_is_chosen_with_two_touches_or_two_keys(size: tuple[int, int]) -> None:
    hidden = "document.getElementById('mushaf').hasAttribute('data-hidden')"
    async with scripted() as service, tab(f"{service.url}?verses=112", size=size) as page:
        first = await page.page.inner_text("#mode-name")
        await page.page.click("#mode-open")
        offered = await page.page.locator("#modes [data-mode]:visible").count()
        await page.page.click("#modes [data-mode=memorise]")
        await page.until(hidden)
        closed = await page.page.is_hidden("#modes")
        chosen = await page.page.inner_text("#mode-name")
        address = page.page.url
        await page.page.focus("#mode-open")
        await page.page.keyboard.press("Enter")
        pressed = await page.page.get_attribute("#modes [data-mode=memorise]", "aria-pressed")
        await page.page.focus("#modes [data-mode=read]")
        await page.page.keyboard.press("Enter")
        await page.until(f"!{hidden}")
        back = await page.page.evaluate("document.activeElement.id")
        large = await page.page.evaluate(
            "[...document.querySelectorAll('.bar button')].filter(({offsetHeight}) => offsetHeight > 60)"
            ".map(({id}) => id)"
        )
    assert (first, chosen, closed, pressed, back) == ("Read", "Memorise", True, "true", "mode-open")
    assert offered == 2  # nothing to listen to here
    assert "mode=memorise" in address
    assert large == ["main"]


async def test_an_address_that_names_no_passage_is_said_to_be_wrong() -> None:
    async with scripted() as service, tab(f"{service.url}?verses=1:99") as page:
        await page.page.wait_for_selector("#notice:not([hidden])")
        said = await page.page.inner_text("#notice")
        words = await page.page.locator(".word").count()
        await page.page.click("#notice-action")
        choosing = await page.page.is_visible("#search")
    assert "There is no such verse. Choose another passage." in said
    assert words == 29
    assert choosing


async def test_the_page_can_be_installed() -> None:
    async with scripted() as service, tab(f"{service.url}?verses=112") as page:
        address = await page.page.evaluate("document.querySelector('link[rel=manifest]').href")
        manifest = json.loads(await (await page.page.request.get(address)).text())
        sizes = {}
        for icon in manifest["icons"]:
            answer = await page.page.request.get(address.replace("manifest.webmanifest", icon["src"]))
            sizes[icon["sizes"]] = (answer.status, (answer.headers["content-type"], icon["type"]))
    assert manifest["display"] == "standalone"
    assert manifest["start_url"]
    assert {"192x192", "512x512"} <= sizes.keys()
    assert all(status == 200 and types[0].startswith(types[1]) for status, types in sizes.values())
