"""Scripture on the page is drawn as the Madina print draws it, and stays the text of its source."""

from __future__ import annotations

import json
import re

import pytest

from shared.recitation.reference.passage import Passage, VerseRange, VerseRef, load_passage, printed_words
from tests.e2e.browser import DESK, PHONE, SIDEWAYS, chromium, tab
from tests.e2e.scripted_service import scripted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("browsers"),
]

TANWIN = re.compile("[\u064b-\u064d]")


@pytest.mark.parametrize("verse", [VerseRef(2, 255), VerseRef(32, 15), VerseRef(2, 26)])
async def test_scripture_stands_on_the_page_as_its_source_gives_it(verse: VerseRef) -> None:
    async with scripted() as service, tab(f"{service.url}?verses={verse.key}") as page:
        shown = await page.each_word("word.textContent")
    assert tuple(shown) == printed_words(verse)


async def test_a_tanwin_is_drawn_by_the_sound_that_follows_it() -> None:
    """The sounds come from the service's own rules of recitation, which know nothing of the page."""
    passages = [load_passage(VerseRange.parse(sura)) for sura in ("67", "68", "69", "78", "79")]
    joined = [pair for passage in passages for pair in _joined(passage)]
    pairs = json.dumps([[word, following] for word, following, _ in joined])
    script = f"""(async () => {{
      const {{ tanwinShape }} = await import('/passage/tanwin.js');
      return {pairs}.map(([word, following]) => tanwinShape(word, following));
    }})()"""
    async with scripted() as service, tab(f"{service.url}?verses=112") as page:
        shapes = await page.page.evaluate(script)
    assert len(joined) > 100
    assert {shape for shape in shapes} == {"", "successive", "meem"}
    for (word, following, clear), shape in zip(joined, shapes, strict=True):
        assert clear == (shape == ""), (word, following, shape)
        assert (shape == "meem") == following.startswith("ب"), (word, following, shape)


def _joined(passage: Passage) -> list[tuple[str, str, bool]]:
    """Words with a tanwin, the word after each in its verse, and whether the n is said clearly."""
    return [
        (word.display, following.display, word.phones[-1] == "n" or following.display.startswith("ٱ"))
        for word, following in zip(passage.words, passage.words[1:], strict=False)
        if word.verse == following.verse and TANWIN.search(word.display)
    ]


async def test_the_last_tanwin_of_a_passage_is_drawn_by_the_word_after_the_passage() -> None:
    shape = "document.querySelector('.verse:last-child .word[data-index=\"{at}\"]').dataset.tanwin"
    found = {}
    async with scripted() as service:
        for verses, last in (("112:4", 4), ("112:1", 3), ("78:6", 3), ("2:263", 10)):
            async with tab(f"{service.url}?verses={verses}") as page:
                found[verses] = await page.page.evaluate(shape.format(at=last))
                words = await page.page.locator(".word").count()
                assert words == last + 1
    # Before the basmala of the next sura, before a word that begins with a vowel, before w, before y.
    assert found == {"112:4": "meem", "112:1": None, "78:6": "successive", "2:263": "successive"}


async def test_a_passage_inside_a_sura_has_a_running_head_in_place_of_the_title() -> None:
    heads = """[...document.querySelectorAll('#mushaf h2')].map(
      ({className, children}) => [className, [...children].map(({textContent}) => textContent)]
    )"""
    found = {}
    async with scripted() as service:
        for verses, locale in (("2:255-257", "en"), ("2:255", "en"), ("2:255-257", "ar"), ("2:1-5", "en")):
            async with tab(f"{service.url}?verses={verses}", locale=locale) as page:
                found[verses, locale] = await page.page.evaluate(heads)
    assert found == {
        ("2:255-257", "en"): [["running-head", ["سورة البقرة", "Verses 255–257"]]],
        ("2:255", "en"): [["running-head", ["سورة البقرة", "Verse 255"]]],
        ("2:255-257", "ar"): [["running-head", ["سورة البقرة", "الآيات ٢٥٥–٢٥٧"]]],
        ("2:1-5", "en"): [["banner", ["سورة البقرة"]]],
    }


@pytest.mark.parametrize("size", [DESK, PHONE, SIDEWAYS])
async def test_verse_ends_are_as_wide_for_one_digit_as_for_three(size: tuple[int, int]) -> None:
    boxes = """[...document.querySelectorAll('.verse-end')].map((end) => {
      const ring = end.getBoundingClientRect();
      const range = document.createRange();
      range.selectNodeContents(end.querySelector('.digits'));
      return [ring.width, range.getBoundingClientRect().width, ring.height];
    })"""
    async with scripted() as service, tab(f"{service.url}?verses=2:8-12", size=size) as page:
        short = await page.page.evaluate(boxes)
    async with scripted() as service, tab(f"{service.url}?verses=2:284-286", size=size) as page:
        long = await page.page.evaluate(boxes)
    assert len({round(width, 1) for width, _, _ in short + long}) == 1
    assert all(digits < 0.85 * width for width, digits, _ in short + long)
    assert all(height < 1.5 * width for width, _, height in short + long)
