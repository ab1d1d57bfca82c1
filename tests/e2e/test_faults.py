"""Kill things while people recite: every session must end complete, gap-free and duplicate-free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cli.sample_files import load_samples
from shared.audio.decode import decode_file
from tests.e2e.history import History, Verdict, check
from tests.e2e.reciter import Recital, Reciter
from tests.e2e.system import System, system

SESSIONS = 20
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Fault = Callable[[System], Awaitable[None]]


def recitals() -> list[Recital]:
    """The bundled recitations: one clean, one with mistakes, one short."""
    found = []
    for sample in load_samples().values():
        verses = sample.verses.split(":")[1].split("-")
        surah = int(sample.verses.split(":")[0])
        found.append(Recital(decode_file(sample.path), surah, int(verses[0]), int(verses[-1])))
    return found


async def recite_all(
    running: System, many: list[Recital], faults: list[tuple[float, Fault]]
) -> list[History]:
    """Everyone recites at once in real time; each fault strikes so many seconds after the start."""

    async def strike(after_s: float, fault: Fault) -> None:
        await asyncio.sleep(after_s)
        await fault(running)

    reciters = [
        Reciter(f"reciter-{number:02d}", running.ws_urls, recital) for number, recital in enumerate(many)
    ]
    async with asyncio.TaskGroup() as group:
        recitations = [group.create_task(reciter.recite()) for reciter in reciters]
        for after_s, fault in faults:
            group.create_task(strike(after_s, fault))
    return [recitation.result() for recitation in recitations]


def kill(name: str) -> Fault:
    return lambda running: running.kill(name)


def announce(what: str, verdict: Verdict) -> None:
    print(f"\n{what}: {verdict}")


async def test_killed_worker_gateway_and_router_cost_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Two of each and two shards, 20 paced sessions; one worker, gateway and router get kill -9."""
    pieces = recitals()
    many = [pieces[number % len(pieces)] for number in range(SESSIONS)]
    async with system(gateways=2, workers=2, routers=2, shards=2) as running:
        undisturbed = await recite_all(running, pieces, [])
        assert check(undisturbed).ok, check(undisturbed)
        assert all(history.transcript for history in undisturbed), "nothing was heard: nothing to compare"
        disturbed = await recite_all(
            running, many, [(4.0, kill("worker-1")), (6.0, kill("gateway-1")), (8.0, kill("router-1"))]
        )
    verdict = check(disturbed)
    with capsys.disabled():
        announce(f"{SESSIONS} sessions, kill -9 of a worker, a gateway and a router", verdict)
    assert verdict.ok, verdict
    assert verdict.reconnects > 0, "the killed gateway had no session: the test proved nothing"
    for number, history in enumerate(disturbed):
        expected = undisturbed[number % len(pieces)]
        assert history.transcript == expected.transcript, history.name
        assert history.statuses == expected.statuses, history.name


@pytest.mark.parametrize("keep_data", [True, False], ids=["data-kept", "data-lost"])
async def test_a_redis_restart_ends_in_resumption_or_a_counted_loss(
    keep_data: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never a hang: with its data nothing is missing, without it every loss has a number."""

    async def restart(running: System) -> None:
        await asyncio.to_thread(running.redis[0].restart, keep_data)

    many = [recitals()[-1]] * 4
    async with system() as running:
        histories = await recite_all(running, many, [(5.0, restart)])
    verdict = check(histories, losses_allowed=not keep_data)
    told = [event for history in histories for event in history.of("error") if event["code"] == "state_lost"]
    with capsys.disabled():
        what = "kept" if keep_data else "lost"
        announce(f"Redis restart, data {what} ({len(told)} losses stated)", verdict)
    assert verdict.ok, verdict
    assert len(told) == (0 if keep_data else len(many)), "each session says once that its state was lost"
    assert all(event["gap"]["from_offset"] <= event["gap"]["to_offset"] for event in told)
