"""What goes wrong while reciting is said on the page, with what to do; nothing that was judged is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.browser import chromium, tab
from tests.e2e.scripted_service import Connection, Script, ready_and_pong, scripted
from tests.e2e.sizes import at_every_size

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("browsers"),
]


async def ready_and_pong_once(connection: Connection) -> None:
    await connection.ready()
    await connection.heard(0.5)
    await connection.partial(0, "cccc", pointer=4)


def refusing(code: str, close: int) -> Script:
    async def script(connection: Connection) -> None:
        await connection.error(code)
        await connection.close(close)

    return script


@at_every_size
async def test_a_connection_that_goes_silent_is_left_and_resumed(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def silent(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.5)
        await connection.partial(0, "cccc", pointer=4)

    async def resumed(connection: Connection) -> None:
        await connection.ready(resumed=True, next_seq=1)
        await connection.heard(0.5)
        await connection.partial(1, "cccccc", pointer=6)

    async with (
        scripted(silent, resumed) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(4)
        began = time.monotonic()
        await page.judged(6)
        took = time.monotonic() - began
        states = await page.states()
    assert service.connections[0].texts == ["ping"]
    assert service.connections[1].query["session_id"] == "scripted-session"
    assert states == "cccccc" + "p" * 9
    # Not a measurement: well below the two minutes that it once took.
    assert took < 20


@at_every_size
async def test_a_quiet_connection_that_answers_pings_is_kept(microphone: Path, size: tuple[int, int]) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(4)
        await service.connections[0].heard(7)
    assert len(service.connections) == 1


@at_every_size
@pytest.mark.parametrize("unheard", ["x", "n"], ids=["left out", "not judged"])
async def test_words_of_before_a_lost_state_stay_and_the_gap_is_not_judged(
    microphone: Path, size: tuple[int, int], unheard: str
) -> None:
    async def first(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.5)
        await connection.partial(0, "cccm", pointer=4)
        await connection.close(4010)

    async def second(connection: Connection) -> None:
        gap = {"from_offset": 32_000, "to_offset": 48_000}
        await connection.ready(resumed=False, epoch="e2", gap=gap)
        await connection.heard(0.3)
        # The new state knows nothing of what was recited before: for it that was left out, or lost.
        await connection.partial(0, 6 * unheard + "ccc", pointer=9)
        await connection.asked("end")
        await connection.send(type="final_result_error", code="audio_lost", message="", fallback="")

    async with (
        scripted(first, second) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(9)
        told = await page.told()
        statuses = await page.statuses()
        await page.stop()
        result = await page.page.inner_text("#result")
    assert "1 s were not judged" in told
    assert statuses[:9] == ["correct"] * 3 + ["minor_mistake"] + ["not_judged"] * 2 + ["correct"] * 3
    assert "6 of 7 words right" in result
    assert "Not judged: 2" in result
    assert "could not be listened to a second time" in result


@at_every_size
async def test_a_result_that_does_not_come_can_be_cancelled(microphone: Path, size: tuple[int, int]) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(4)
        await page.page.click("#main[data-act=stop]")
        await service.connections[0].asked("end")
        await page.page.click("#main[data-act=cancel]")
        await page.page.wait_for_selector("#result[open]")
        right = await page.page.inner_text("#result-right")
        how = await page.page.inner_text("#result-how")
    assert right == "4 of 4 words right"
    assert "judged while you recited" in how


@at_every_size
async def test_a_result_that_never_comes_is_waited_for_no_longer_than_two_minutes(
    microphone: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(4)
        await page.page.click("#main[data-act=stop]")
        await service.connections[0].asked("end")
        await page.page.wait_for_selector("#main[data-act=cancel]")
        await page.page.evaluate(
            "{ const now = performance.now.bind(performance); performance.now = () => now() + 120_000 }"
        )
        await page.page.wait_for_selector("#result[open]")
        right = await page.page.inner_text("#result-right")
        how = await page.page.inner_text("#result-how")
        await page.page.click("#result [data-close]")
        offered = await page.page.get_attribute("#main", "data-act")
    assert right == "4 of 4 words right"
    assert "took too long" in how
    assert offered == "recite"


@at_every_size
async def test_no_network_is_told_and_reciting_waits_for_it(microphone: Path, size: tuple[int, int]) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.context.set_offline(True)
        await page.status("No network")
        await page.page.click("#main")
        await page.status("Waiting")
        tried = len(service.connections)
        await page.context.set_offline(False)
        await page.judged(4)
    assert tried == 0


REFUSALS = [
    ("unauthorised", 4502, "access key", ["Enter the key"]),
    ("passage_too_long", 1008, "Choose fewer verses", ["Choose the passage"]),
    ("unknown_verse", 1008, "no such verse", ["Choose the passage"]),
    ("superseded", 4501, "another window", []),
    ("session_too_long", 4503, "cannot be longer", ["Try again"]),
]


@at_every_size
async def test_a_refusal_is_told_in_a_sentence_with_a_way_out(
    microphone: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(*(refusing(code, close) for code, close, _, _ in REFUSALS)) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        for code, _, sentence, way in REFUSALS:
            await page.page.click("#main[data-act=recite]")
            await page.told(sentence)
            await page.page.wait_for_selector("#main[data-act=recite]")
            assert await page.page.locator("#notice-action:visible").all_inner_texts() == way, code
            await page.page.click("#notice-close")
    assert len(service.connections) == len(REFUSALS)


IN_THE_BAR = (
    "[...document.querySelectorAll('.bar button')].filter((b) => b.checkVisibility()).map(({id}) => id)"
)
"""What can be touched in the bar."""


@at_every_size
async def test_a_full_service_is_told_with_the_time_to_wait_and_can_be_left(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def full(connection: Connection) -> None:
        await connection.error("no_capacity", retry_after_s=30)
        await connection.close(4013)

    async with (
        scripted(full) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.click("#main")
        await page.until("/again in (29|30|31) s/.test(document.getElementById('status').textContent)")
        told = await page.page.inner_text("#status")
        notices = await page.page.locator("#notice:visible").count()
        marked = await page.page.locator(".word[aria-current]").count()
        ways_out = await page.page.evaluate(IN_THE_BAR)
        await page.page.click("#main[data-act=cancel]")
        await page.page.wait_for_selector("#main[data-act=recite]")
    assert "places are taken" in told
    assert (notices, marked) == (0, 0)
    assert ways_out == ["main"]
    assert len(service.connections) == 1


@at_every_size
async def test_a_place_that_is_lost_meanwhile_is_waited_for_or_the_recitation_ends_here(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def loses(connection: Connection) -> None:
        await ready_and_pong_once(connection)
        await connection.error("no_capacity", retry_after_s=60)
        await connection.close(4013)

    async with (
        scripted(loses) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(4)
        await page.status("All places are taken")
        acts = await page.page.get_attribute("#main", "data-act")
        name = await page.page.inner_text("#main-name")
        ways_out = await page.page.evaluate(IN_THE_BAR)
        await page.page.click("#main")
        await page.page.wait_for_selector("#result[open]")
        right = await page.page.inner_text("#result-right")
    # To finish would wait for a place, too: nothing is offered that does nothing.
    assert (acts, name) == ("cancel", "End here")
    assert ways_out == ["main"]
    assert right == "4 of 4 words right"


@at_every_size
async def test_waiting_for_a_place_is_cancelled_where_nothing_was_recited(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def loses(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.3)
        await connection.error("no_capacity", retry_after_s=60)
        await connection.close(4013)

    async with (
        scripted(loses) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.click("#main")
        waiting = await page.status("All places are taken")
        name = await page.page.inner_text("#main-name")
        await page.page.click("#main[data-act=cancel]")
        await page.page.wait_for_selector("#main[data-act=recite]")
        results = await page.page.locator("#result[open]").count()
    assert "we try again in" in waiting
    assert (name, results) == ("Cancel", 0)


@at_every_size
async def test_without_network_it_is_the_network_that_is_waited_for_and_no_place(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def full(connection: Connection) -> None:
        await connection.error("no_capacity", retry_after_s=2)
        await connection.close(4013)

    async with (
        scripted(full) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.click("#main")
        await page.status("All places are taken")
        await page.context.set_offline(True)
        at_once = await page.status("Waiting for the network")
        # The next try, which cannot reach anybody, does not say that places are taken either.
        tried = await page.page.evaluate(
            """() => new Promise((done) => {
                const said = [], status = document.getElementById('status');
                new MutationObserver(() => said.push(status.textContent)).observe(status,
                    {childList: true, subtree: true, characterData: true});
                setTimeout(() => done(said), 4000);
            })"""
        )
        last = await page.page.inner_text("#status")
        await page.context.set_offline(False)
        again = await page.status("All places are taken")
    assert "network" in at_once
    assert "network" in last
    assert not any("places" in said for said in tried)
    assert "we try again in" in again


@at_every_size
async def test_a_discarded_recitation_leaves_nothing(microphone: Path, size: tuple[int, int]) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.recite(4)
        await page.page.click("#cancel")
        asked = await page.page.inner_text("#cancel")
        going_on = await page.page.get_attribute("#main", "data-act")
        await page.page.click("#cancel")
        await page.status("Discarded")
        states = await page.states()
        await page.page.click("#history-open")
        await page.until("document.getElementById('history-body').textContent.startsWith('Nothing yet')")
    assert (asked, going_on) == ("Touch again: nothing is kept", "stop")
    assert states == "p" * 15


@at_every_size
async def test_another_passage_is_told_and_gets_no_score(microphone: Path, size: tuple[int, int]) -> None:
    notice_of_service = {"code": "not_this_passage", "message": "said by the service"}

    async def script(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.5)
        await connection.partial(0, "ppcpp", pointer=3, notice=notice_of_service)
        await connection.asked("end")
        await connection.final("ppcpw", notices=[notice_of_service])

    async with (
        scripted(script) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.click("#main")
        told = await page.told()
        await page.stop()
        result = await page.page.inner_text("#result")
    assert "does not sound like the chosen passage" in told
    assert "This does not sound like al-Ikhlas 112:1–4" in result
    assert "words right" not in result


@at_every_size
async def test_text_that_cannot_be_fetched_is_told(size: tuple[int, int]) -> None:
    async with scripted() as service, tab(f"{service.url}?verses=112", size=size) as page:
        await page.context.set_offline(True)
        await page.page.click("#choose")
        await page.page.fill("#search", "113")
        await page.page.click("#choices button")
        await page.page.click("#open")
        told = await page.told()
        await page.context.set_offline(False)
        await page.until("document.querySelectorAll('.word').length === 23")
    assert "could not be fetched" in told
