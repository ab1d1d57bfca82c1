"""Reciting on the page: what the words show, what is asked of the service, what is kept in the browser."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.e2e.browser import DESK, PHONE, SIDEWAYS, chromium, tab
from tests.e2e.scripted_service import Connection, scripted
from tests.e2e.sizes import at_every_size

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("browsers"),
]

IKHLAS = "ccccccccccccccc"


async def recite_with_mistakes(connection: Connection) -> None:
    await connection.ready()
    await connection.heard(0.5)
    await connection.partial(0, "ccccc", pointer=5)
    await connection.heard(0.5)
    await connection.partial(1, "cccccmwxccc", pointer=11)
    await connection.asked("end")
    await connection.final("cccccmwxccccccc")


@pytest.mark.parametrize("size", [DESK, PHONE, SIDEWAYS])
async def test_a_verse_and_its_end_are_never_parted(size: tuple[int, int]) -> None:
    script = """[...document.querySelectorAll('.verse')].map((verse) => {
      const word = [...verse.querySelectorAll('.word')].at(-1).getClientRects();
      const end = verse.querySelector('.verse-end').getClientRects();
      const middle = ({top, bottom}) => (top + bottom) / 2;
      return Math.abs(middle(word[word.length - 1]) - middle(end[0])) < 20 && end.length === 1;
    })"""
    async with scripted() as service, tab(f"{service.url}?verses=2:255-275", size=size) as page:
        beside = await page.page.evaluate(script)
        ends = await page.page.evaluate(
            "[...document.querySelectorAll('.verse-end')].map(({textContent}) => textContent)"
        )
    assert len(beside) == 21
    assert all(beside)
    assert ends[0] == "\u06dd٢٥٥"


LINES = """(() => {
  const lines = [];
  for (const part of document.querySelectorAll('.word, .verse-end')) {
    const {top, bottom, left, right} = part.getBoundingClientRect();
    const [middle, line] = [(top + bottom) / 2, lines.at(-1)];
    const joined = part.matches('.verse-end');
    if (line && Math.abs(line.middle - middle) < 25) {
      if (!joined) line.gaps.push(line.left - right);
      line.left = left;
    } else lines.push({middle, left, right, gaps: []});
  }
  const {left, right} = document.querySelector('.verses').getBoundingClientRect();
  return lines.map((line) => ({sides: [line.left - left, right - line.right], gaps: line.gaps}));
})()"""
"""Each line of the text: what is free on both sides of it, and between its words."""


@pytest.mark.parametrize("size", [DESK, SIDEWAYS])
async def test_lines_are_full_as_in_the_print(size: tuple[int, int]) -> None:
    joints = "[...document.querySelectorAll('.joint')].map((joint) => joint.getBoundingClientRect().width)"
    spacing = "getComputedStyle(word).letterSpacing"
    async with scripted() as service, tab(f"{service.url}?verses=78", size=size) as page:
        *full, last = await page.page.evaluate(LINES)
        joined = await page.page.evaluate(joints)
        letters = await page.each_word(spacing)
    assert len(full) > 5
    assert max(abs(side) for line in full for side in line["sides"]) < 1.5, full
    assert abs(last["sides"][0] - last["sides"][1]) < 1.5  # in the middle
    assert max(joined) - min(joined) < 0.1  # a verse's end stands by its last word
    assert set(letters) == {"normal"}


@pytest.mark.parametrize("verses", ["78", "2:255-260", "112"])
async def test_lines_of_few_words_are_full_without_wide_gaps(verses: str) -> None:
    """Broken where they happen to be full, such lines have ragged sides, or gaps as wide as words."""
    settled = "document.querySelector('.verses').clientWidth === {width}"
    async with scripted() as service, tab(f"{service.url}?verses={verses}", size=PHONE) as page:
        width = await page.page.evaluate("document.querySelector('.verses').clientWidth")
        for narrower in (0, 40):
            await page.page.set_viewport_size({"width": PHONE[0] - narrower, "height": PHONE[1]})
            await page.until(settled.format(width=width - narrower))
            await page.until("new Promise((done) => requestAnimationFrame(() => done(true)))")
            *full, last = await page.page.evaluate(LINES)
            sides = sorted(side for line in full for side in line["sides"])
            gaps = [gap for line in full for gap in line["gaps"]]
            assert all(max(line["gaps"]) - min(line["gaps"]) < 1.5 for line in [*full, last] if line["gaps"])
            assert max(gaps) < 1.2 * 26.4  # the size of the text
            assert narrower or sides[int(0.9 * len(sides))] < 2  # nine of ten are full
            assert all(
                abs(line["sides"][0] - line["sides"][1]) < 1.5 for line in [*full, last]
            )  # or in the middle


async def test_the_opening_verse_has_a_line_of_its_own() -> None:
    tops = """[...document.querySelectorAll('.verse')].slice(0, 2).map((verse) => {
      const {top, bottom} = verse.querySelector('.word').getBoundingClientRect();
      return (top + bottom) / 2;
    })"""
    async with scripted() as service, tab(f"{service.url}?verses=1", size=DESK) as page:
        first, second = await page.page.evaluate(tops)
    assert second > first


SIGNS = """(async () => {
  const {signsOf} = await import('/passage/tanwin.js'); // as the font draws it
  const pen = document.createElement('canvas').getContext('2d');
  const {font, lineHeight, fontSize} = getComputedStyle(document.querySelector('.verses'));
  const em = parseFloat(fontSize);
  pen.font = font.replace(/[/] *[^ ]+/, '');
  const words = [...document.querySelectorAll('.word')].map((word) => {
    const box = word.getBoundingClientRect();
    const ink = pen.measureText(signsOf(word.firstChild.data, word.dataset.tanwin));
    const sign = getComputedStyle(word, '::after');
    const end = .63 * em - parseFloat(sign.bottom); // below the baseline
    return {
      baseline: box.bottom - .63 * em,
      depth: ink.actualBoundingBoxDescent, height: ink.actualBoundingBoxAscent,
      above: end - parseFloat(sign.height), end, em,
      width: parseFloat(sign.width), high: parseFloat(sign.height) / em,
      letters: box.width - (word.querySelector('.stop-mark')?.getBoundingClientRect().width ?? 0),
      current: word.hasAttribute('aria-current'),
    };
  });
  return words.map((word) => {
    const line = parseFloat(lineHeight);
    const next = words.filter(({baseline}) => Math.abs(baseline - word.baseline - line) < 9);
    return {...word, room: next.length ? line - Math.max(...next.map(({height}) => height)) : Infinity};
  });
})()"""
"""Each word, in pixels from its baseline: how deep its ink goes, its sign, where the line below begins."""


@pytest.mark.parametrize(
    "verse", ["28:30", "35:43", "2:142", "9:120", "2:72"]
)  # the deepest and the highest ink
@pytest.mark.parametrize(("state", "size"), [("w", PHONE), ("m", SIDEWAYS), ("x", DESK)])
async def test_signs_are_nearer_their_word_than_the_line_below_and_as_wide_as_their_word(
    microphone: Path, verse: str, state: str, size: tuple[int, int]
) -> None:
    async def all_of_them(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.1)
        await connection.partial(0, state * len(connection.words), pointer=1)

    async with (
        scripted(all_of_them) as service,
        tab(f"{service.url}?verses={verse}", size=size, microphone=microphone) as page,
    ):
        await page.recite(5)
        signs = await page.page.evaluate(SIGNS)
    assert len(signs) > 5
    for sign in signs:
        if sign["current"]:  # its sign stands below the line that marks the place
            continue
        assert sign["above"] - sign["depth"] >= 2
        assert sign["above"] - sign["depth"] < sign["room"] - sign["end"], sign
        assert sign["end"] <= sign["room"]
        assert abs(sign["width"] - sign["letters"]) < 2
        assert sign["high"] < 0.2  # light


ARABIC = """(() => {
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement: at } = texts.currentNode;
    if (!/[\\u0600-\\u06FF]/.test(data) || at.closest('script, style, template')) continue;
    const own = at.closest('[lang]');
    const fault = !own.lang.startsWith('ar') ? 'another language'
      : !getComputedStyle(at).fontFamily.startsWith('"Rattil') ? 'another face'
      : own.closest('p') && !['bdi', 'p'].includes(own.localName) ? 'not isolated' : '';
    found.push([data, fault]);
  }
  return found;
})()"""
"""All Arabic text of the page, and what is wrong with how it stands between other letters."""

LISTEN = """{
  window.said = [];
  const announcer = document.getElementById('announcer');
  new MutationObserver(() => said.push(announcer.textContent)).observe(announcer, {childList: true});
} true"""
"""Collects what a screen reader is given to say."""

SENTENCES = """{
  window.said = [];
  window.statuses = [];
  const announcer = document.getElementById('announcer');
  const status = document.getElementById('status');
  const told = () => said.push(...[...announcer.children].map((sentence) => sentence.textContent));
  new MutationObserver(told).observe(announcer, {childList: true});
  new MutationObserver(() => statuses.push(status.textContent)).observe(status, {childList: true});
} true"""
"""The same, sentence by sentence; and every status that was shown."""


@at_every_size
async def test_only_deviations_are_marked_and_the_place_is_shown(
    microphone: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(recite_with_mistakes) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.evaluate(LISTEN)
        await page.recite(11)
        current = await page.page.evaluate("document.querySelector('[aria-current]').dataset.index")
        described = await page.each_word("word.getAttribute('aria-describedby')")
        await page.until("said.some((words) => words.includes('heard differently'))")
        said = await page.page.evaluate("said.join(' ')")
        await page.stop()
        head = await page.page.inner_text("#result-head")
        right = await page.page.inner_text("#result-right")
        listed = await page.page.locator("#result-words button").count()
        states = await page.states()
    assert current == "11"
    assert described[:9] == [None] * 5 + ["state-minor_mistake", "state-wrong", "state-missing", None]
    assert "Verse 1 done" in said
    assert (head, right) == ("Most words were right", "12 of 15 words right")  # words before numbers
    assert listed == 3
    assert states == "cccccmwmccccccc"  # missing and minor_mistake begin with one letter
    assert page.problems == []


@at_every_size
async def test_mistakes_and_ends_of_verses_are_announced_once_and_nothing_else(
    microphone: Path, size: tuple[int, int]
) -> None:
    states = "ccccmcwcc"

    async def word_by_word(connection: Connection) -> None:
        await connection.ready()
        for count in range(1, len(states) + 1):
            await connection.heard(0.2)
            await connection.partial(count - 1, states[:count], pointer=count)
        await connection.asked("end")
        await connection.final(states + "cccccc")

    async with (
        scripted(word_by_word) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.evaluate(SENTENCES)
        await page.recite(len(states))
        await page.until("said.includes('Verse 2 done')")
        said = await page.page.evaluate("said")
        shown = await page.page.evaluate("statuses")
        await page.stop()
    words = [word for _, word in service.connections[0].words]
    mistakes = [f"almost right: {words[4]}", f"heard differently: {words[6]}"]
    assert sorted(said) == sorted([*mistakes, "Verse 1 done", "Verse 2 done"])
    assert shown[-3:] == [f"Listening · verse {number}" for number in (1, 2, 3)]
    assert len(shown) == len(set(shown)), shown  # it is a live region, too


@at_every_size
async def test_arabic_in_a_sentence_has_its_own_language_direction_and_face(
    microphone: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(recite_with_mistakes) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(11)
        await page.until("document.getElementById('announcer').textContent.includes('heard differently')")
        await page.stop()
        await page.page.click("#result [data-close]")
        await page.page.locator(".word").nth(6).click()
        await page.page.wait_for_selector("#word[open] .sounds dd + dt, #word[open] .sounds div + div")
        found = await page.page.evaluate(ARABIC)
        scripture = [word for _, word in service.connections[0].words]
    assert [(text, fault) for text, fault in found if fault] == []
    assert [text for text, _ in found].count(scripture[6]) >= 4  # the text, the announcer, the sheets


@at_every_size
async def test_a_touched_word_tells_what_was_heard_and_plays_it(
    microphone: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(recite_with_mistakes) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(11)
        await page.stop()
        await page.page.click("#result [data-close]")
        await page.page.locator(".word").nth(1).click()
        await page.page.wait_for_selector("#word[open] .sounds dd + dt, #word[open] .sounds div + div")
        told = await page.page.inner_text("#word")
        playable = await page.page.is_enabled("#word-play")
        await page.page.click("#word-play")
        font = await page.page.evaluate("getComputedStyle(document.getElementById('word-text')).fontFamily")
        letters = await page.page.evaluate(
            "[...document.querySelectorAll('.sounds .arabic')].map((at) => getComputedStyle(at).fontFamily)"
        )
    assert "هُوَ" in told
    assert "qul" in told  # heard, in plain letters
    assert "huwa" in told  # expected, from the service's sounds
    assert playable
    assert "Rattil Quran" in font
    # Scripture first, in its own face; what was heard is a guess, and does not look like scripture.
    assert ["Rattil Quran" in family for family in letters] == [True, False]
    assert told.index("The text has") < told.index("We think we heard")
    assert "al-Ikhlas 112:1, word 2" in told
    assert page.problems == []


@at_every_size
async def test_the_letters_that_were_heard_differently_are_pointed_out(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def swallows(connection: Connection) -> None:
        connection.sounds = {23: "ʕ a l a j h i", 27: "x u b z"}
        await connection.ready()
        await connection.heard(0.3)
        await connection.partial(0, "c" * 23 + "wcccwc", pointer=29)

    marked = "[...document.querySelectorAll('#word-sounds .differs')].map(({textContent}) => textContent)"
    async with (
        scripted(swallows) as service,
        tab(f"{service.url}?verses=1", size=size, microphone=microphone) as page,
    ):
        await page.recite(29)
        await page.page.locator(".word").nth(23).click()
        await page.page.wait_for_selector("#word-differs:not([hidden])")
        said = await page.page.inner_text("#word-differs")
        underlined = await page.page.evaluate(marked)
        printed = await page.page.inner_html("#word-sounds .expected .quran")
        sizes = await page.page.evaluate(
            "[...document.querySelectorAll('.sounds .arabic')].map((at) => getComputedStyle(at).fontSize)"
        )
        await page.page.keyboard.press("Escape")
        await page.page.locator(".word").nth(27).click()  # nothing of it is alike
        await page.page.wait_for_selector("#word[open] .sounds .heard")
        elsewhere = await page.page.is_visible("#word-differs")
    assert said == "Not heard: m"
    assert underlined == ["m"]
    assert "<" not in printed  # scripture is shown as it is
    assert len(set(sizes)) == 1
    assert not elsewhere
    assert page.problems == []


async def test_changes_of_letters_are_found_by_consonants_with_their_vowels() -> None:
    script = """(async () => {
      const {differences} = await import('/words/differences.js');
      const {plainUnits} = await import('/words/sounds.js');
      return [
        ['b i s m i', 'b u s m i'], ['q a: l a', 'q a l a'], ['q u l', 'q u l a'], ['h u m', 'h u m'],
        ['h u w a', 'q u l'], ['ð a: l i k a', 's a: l i b a m'],
      ].map((pair) => {
        const found = differences(...pair.map((sounds) => plainUnits(sounds)));
        const letters = (units) => units.map(({latin}) => latin).join('');
        return found && found.changes.map(({expected, heard}) => [letters(expected), letters(heard)]);
      });
    })()"""
    async with scripted() as service, tab(f"{service.url}?verses=112") as page:
        found = await page.page.evaluate(script)
    assert found == [[["bi", "bu"]], [["qā", "qa"]], [["l", "la"]], None, None, None]


@at_every_size
async def test_words_to_look_at_again_stand_between_their_neighbours(
    microphone: Path, size: tuple[int, int]
) -> None:
    rows = "[...document.querySelectorAll('{list} .context')].map(({{textContent}}) => textContent)"
    async with (
        scripted(recite_with_mistakes) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        words = await page.each_word("word.textContent")
        await page.recite(11)
        await page.stop()
        result = await page.page.evaluate(rows.format(list="#result-words"))
        said = await page.page.locator("#result-words button").first.evaluate(
            "(row) => row.querySelectorAll('.context [aria-hidden]').length"
        )
        await page.page.keyboard.press("Escape")
        await page.page.click("#history-open")
        await page.page.wait_for_selector("#history[open] .context")
        history = await page.page.evaluate(rows.format(list="#history"))
    # The last word of verse 2, the first and the second of verse 3.
    assert result == [" ".join(words[4:6]), " ".join(words[6:8]), " ".join(words[6:9])]
    assert said == 1
    assert sorted(history) == sorted(result)


@at_every_size
async def test_reciting_can_begin_at_a_touched_word(microphone: Path, size: tuple[int, int]) -> None:
    async with (
        scripted(recite_with_mistakes) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.locator(".word").nth(6).click()
        await page.page.click("#word-from")
        await page.until("document.querySelectorAll('.word').length === 9")
        await page.page.wait_for_selector("#main[data-act=stop]")
        address = page.page.url
    assert service.connections[0].query["ayah"] == "3"
    assert "verses=112%3A3-4" in address


@at_every_size
async def test_memorising_hides_words_until_they_are_recited_or_peeked(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def script(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.5)
        await connection.partial(0, "cc", pointer=2)
        await connection.asked('{"type":"peek","word_index":4}')
        await connection.partial(1, "ccccccc", pointer=7)
        await connection.asked("end")
        await connection.final(IKHLAS)

    colours = "getComputedStyle(word).color"
    async with (
        scripted(script) as service,
        tab(
            f"{service.url}?verses=112&mode=memorise",
            size=size,
            microphone=microphone,
            reduced_motion="reduce",
        ) as page,
    ):
        hidden = await page.each_word(colours)
        names = await page.page.evaluate("document.querySelectorAll('.word')[3].getAttribute('aria-label')")
        await page.recite(2)
        shown = await page.each_word(colours)
        await page.page.locator(".word").nth(4).click()
        await page.judged(7)
        await page.stop()
        right = await page.page.inner_text("#result-right")
        peeked = await page.page.inner_text("#result-counts")
    assert set(hidden) == {"rgba(0, 0, 0, 0)"}
    assert names == "hidden word"
    assert "rgba(0, 0, 0, 0)" not in shown[:2]
    assert set(shown[2:]) == {"rgba(0, 0, 0, 0)"}
    assert right == "14 of 15 words right"
    assert peeked == "Peeked: 1"


@at_every_size
async def test_the_next_word_is_shown_on_request(microphone: Path, size: tuple[int, int]) -> None:
    async def script(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.3)
        await connection.partial(0, "ccc", pointer=3)

    async with (
        scripted(script) as service,
        tab(f"{service.url}?verses=112&mode=memorise", size=size, microphone=microphone) as page,
    ):
        await page.recite(3)
        hint, main, discard = await page.page.evaluate(
            "['hint', 'main', 'cancel'].map((id) => document.getElementById(id).getBoundingClientRect().x)"
        )
        await page.page.click("#hint")
        peeked = await page.page.evaluate(
            "[...document.querySelectorAll('.word[data-peeked]')].map((word) => word.dataset.index)"
        )
    assert peeked == ["3"]
    assert size == SIDEWAYS or hint < main < discard  # what helps is on the other side than what ends


@at_every_size
async def test_a_word_is_shown_after_a_hesitation_where_that_is_wanted(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def script(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.3)
        await connection.partial(0, "ccc", pointer=3)
        await connection.asked('{"type":"peek","word_index":3}')
        await connection.partial(1, "cccc", pointer=4)

    async with (
        scripted(script) as service,
        tab(f"{service.url}?verses=112&mode=memorise", size=size, microphone=microphone) as page,
    ):
        await page.page.click("#more-open")
        await page.page.check("#hesitation")
        await page.page.keyboard.press("Escape")
        await page.recite(4)
        peeked = await page.each_word("word.hasAttribute('data-peeked')")
    assert peeked[:5] == [False, False, False, True, False]


@at_every_size
async def test_the_reciter_may_disagree_and_both_judgements_are_kept(
    microphone: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(recite_with_mistakes) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(11)
        await page.page.locator(".word").nth(6).click()  # while reciting
        await page.page.click("#word-own")
        await page.page.keyboard.press("Escape")
        await page.stop()
        right = await page.page.inner_text("#result-right")
        await page.page.locator("#result-words button").nth(0).click()  # afterwards
        await page.page.click("#word-own")
        explained = await page.page.inner_text("#word-own-why")
        await page.page.keyboard.press("Escape")
        await page.page.click("#result-open")
        rows = await page.page.locator("#result-words .what").all_inner_texts()
        counts = await page.page.inner_text("#result-counts")
        await page.page.keyboard.press("Escape")
        described = await page.each_word("word.getAttribute('aria-describedby')")
        statuses = await page.statuses()
        await page.page.locator(".word").nth(0).click()
        of_a_right_word = await page.page.is_visible("#word-own")
        await page.page.keyboard.press("Escape")
        await page.page.click("#history-open")
        await page.page.wait_for_selector("#history[open] .chart")
        async with page.page.expect_download() as download:
            await page.page.click("#history-export")
        saved = json.loads(await asyncio.to_thread(Path(await (await download.value).path()).read_text))
    assert right == "12 of 15 words right"  # the service's judgement stays
    assert "both judgements" in explained
    assert rows == ["almost right · right, you say", "heard differently · right, you say", "left out"]
    assert "Right, you say: 2" in counts
    assert described[5:8] == ["state-minor_mistake state-own", "state-wrong state-own", "state-missing"]
    assert statuses[5:8] == ["minor_mistake", "wrong", "missing"]
    assert not of_a_right_word
    assert saved["sittings"][0]["right"] == 12
    assert sorted(saved["sittings"][0]["own"]) == ["112:2:2", "112:3:1"]
    assert {word["key"]: (word["status"], word["own"]) for word in saved["words"]} == {
        "112:2:2": ("minor_mistake", True),
        "112:3:1": ("wrong", True),
        "112:3:2": ("missing", False),
    }


@at_every_size
async def test_history_is_kept_practised_exported_and_erased(microphone: Path, size: tuple[int, int]) -> None:
    async with (
        scripted(recite_with_mistakes) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(11)
        await page.stop()
        await page.page.click("#result [data-close]")
        await page.page.click("#history-open")
        await page.page.wait_for_selector("#history[open] .chart")
        listed = await page.page.locator("#history .word-list button").count()
        verses = await page.page.locator("#history .verse-bars button").all_inner_texts()
        all_of_it = await page.page.text_content("#history-body") or ""
        accent, *drawn = await page.page.evaluate(
            """[['.strong', 'backgroundColor'], ['.verse-bars rect', 'fill'], ['.chart .line', 'stroke']].map(
              ([part, of]) => getComputedStyle(document.querySelector(part))[of])"""
        )
        async with page.page.expect_download() as download:
            await page.page.click("#history-export")
        saved = json.loads(await asyncio.to_thread(Path(await (await download.value).path()).read_text))
        await page.page.locator("#history .word-list button").first.click()
        await page.until("new URL(location).searchParams.get('verses') === '112:2'")
        await page.page.wait_for_selector(".word")
        await page.page.click("#history-open")
        await page.page.click("#history-erase")
        await page.page.click("#history-erase")
        await page.until("!document.querySelector('#history .chart')")
        empty = await page.page.inner_text("#history-body")
    assert listed == 3
    assert "The latest recitation: 12 of 15 words right." in all_of_it
    assert "%" not in all_of_it
    assert accent not in drawn  # its colour says what to touch
    assert [verse.split() for verse in verses] == [
        ["al-Ikhlas", "112:3", "2", "mistakes"],
        ["al-Ikhlas", "112:2", "one", "mistake"],
    ]
    assert saved["sittings"][0]["right"] == 12
    assert {word["key"] for word in saved["words"]} == {"112:2:2", "112:3:1", "112:3:2"}
    assert empty.startswith("Nothing yet")


@at_every_size
async def test_a_reload_goes_on_from_the_same_place(microphone: Path, size: tuple[int, int]) -> None:
    async def first(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(1)
        await connection.partial(3, "cccc", pointer=4)
        await connection.send(type="ack", offset=36_000)
        await connection.pong()  # a slow machine takes more than five seconds until the reload

    async def second(connection: Connection) -> None:
        await connection.ready(resumed=True, next_seq=4, offset=40_000)
        await connection.heard(0.5)
        await connection.partial(4, "ccccxxccc", pointer=9)

    async with (
        scripted(first, second) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(4)
        await page.until("JSON.parse(sessionStorage.getItem('rattil.unfinished'))?.resume.acked === 36000")
        await page.page.reload()
        await page.page.wait_for_selector(".word")
        kept = await page.states()
        await page.page.click("#main:has-text('Go on')")
        await page.judged(9)
        states = await page.statuses()
    query = service.connections[1].query
    assert kept == "cccc" + "p" * 11
    assert (query["session_id"], query["offset"], query["last_seq"]) == ("scripted-session", "36000", "3")
    assert states[4:6] == ["not_judged", "not_judged"]  # recited while the page was being loaded


async def test_the_key_travels_beside_the_address_not_in_it(microphone: Path) -> None:
    async def refuse(connection: Connection) -> None:
        await connection.error("unauthorised")
        await connection.close(4502)

    async with (
        scripted(refuse, recite_with_mistakes) as service,
        tab(f"{service.url}?verses=112", microphone=microphone) as page,
    ):
        await page.page.click("#main")
        await page.page.wait_for_selector("#notice:not([hidden])")
        said = await page.page.inner_text("#notice-text")
        await page.page.click("#notice-action")
        await page.page.fill("#key", "a key = with / signs")
        await page.page.press("#key", "Enter")
        await page.recite(5)
    assert "access key" in said
    assert "token" not in service.connections[1].query
    assert service.connections[1].subprotocols == ["rattil.v1", "rattil.key64.YSBrZXkgPSB3aXRoIC8gc2lnbnM"]
