"""Redis that comes back older than its gateways, and calls that arrive too late: nothing hangs, no loss is
silent, no report is wrong, and nobody is told to stay away while it is the only connection.

`ROLLBACK_RUNS=10 pytest tests/e2e/test_redis_rollback.py` repeats each recipe.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import RedisError

from asr_worker.engines.scripted import speak
from cli.embedded_redis import EmbeddedRedis
from shared.bus.redis_connections import command
from shared.bus.redis_sessions import TAKE_OVER
from shared.recitation.reference.passage import VerseRange, load_passage
from tests.e2e.chaos import ENV
from tests.e2e.history import Event, History, check
from tests.e2e.reciter import Recital, Reciter
from tests.e2e.system import System, system

RUNS = int(os.environ.get("ROLLBACK_RUNS", "1"))
SESSIONS = 6
PACE = 1.6
FEED_DEAD_S = 4.0
LAST_S = 1.0
"""Seconds of audio that are still to be sent when the worker stops: less than the in-flight limit holds."""
DEADLINE_S = 75.0
SUPERSEDED = 4501
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 * RUNS)]

Fault = Callable[[System, list[Reciter]], Coroutine[Any, Any, None]]


def recital(pace: float = PACE) -> Recital:
    passage = load_passage(VerseRange.parse("1:1-7"))
    symbols = [symbol for word in passage.words for symbol in (*word.phones, None)]
    return Recital(speak(symbols).tobytes(), 1, 1, 7, pace=pace)


async def run(running: System, fault: Fault, pace: float) -> tuple[list[History], list[str]]:
    """Everyone recites while the fault strikes; histories, and what is wrong with how they ended."""
    reciters = [
        Reciter(f"reciter-{number:02d}", running.ws_urls, recital(pace), DEADLINE_S)
        for number in range(SESSIONS)
    ]
    striking = asyncio.create_task(fault(running, reciters), name="fault")
    ends = await asyncio.gather(*(reciter.recite() for reciter in reciters), return_exceptions=True)
    await striking
    wrong = [
        f"{reciter.history.name}: did not end ({end!r}; last {str(reciter.history.events[-1:])[:200]})"
        for reciter, end in zip(reciters, ends, strict=True)
        if isinstance(end, BaseException)
    ]
    wrong += [f"{reciter.history.name}: 4501" for reciter in reciters if SUPERSEDED in reciter.closes]
    return [reciter.history for reciter in reciters], wrong


def unstated(history: History, calm: History) -> list[str]:
    """Losses that this client was not told of, and reports that differ from the recitation's own."""
    stated = [event for event in history.events if event.get("gap")]
    drops = [event for event in history.outcomes if event["type"] == "error"]
    found = []
    results = [event["result"] for event in history.events if event["type"] == "final_result"]
    says_why = bool(results) and (not results[-1]["complete"] or results[-1]["judged"] == "live")
    if history.report and history.report != calm.report and not says_why:
        found.append(f"{history.name}: a report that differs and does not say why")
    if drops and not stated:
        found.append(f"{history.name}: {len(drops)} segments dropped and no gap stated")
    refused = [event["code"] for event in history.of("final_result_error")]
    if refused and refused != ["audio_lost"]:  # which says itself what is lost
        found.append(f"{history.name}: no report, {refused}, gaps {stated}")
    return found


async def judged(running: System, fault: Fault, calm: History, name: str, pace: float = PACE) -> list[Event]:
    """One run; fails with everything that broke a promise. Returns the stated losses."""
    histories, wrong = await run(running, fault, pace)
    wrong += list(check(histories, losses_allowed=True).violations)
    for history in histories:
        wrong += unstated(history, calm)
    stated = [
        event
        for history in histories
        for event in history.events
        if event.get("gap") or event["type"] == "final_result_error"
    ]
    print(f"{name}: {len(wrong)} broken promises, {len(stated)} losses stated", *wrong, sep="\n  ")
    assert not wrong, "\n".join(wrong)
    return stated


async def undisturbed(running: System) -> History:
    calm = await Reciter("calm", running.ws_urls, recital()).recite()
    assert check([calm]).ok
    return calm


async def feed_is_dead(url: str, seconds: float) -> None:
    """Break the result feeds again and again: what the log does not hold is seen by nobody."""
    end = asyncio.get_running_loop().time() + seconds
    async with redis.asyncio.Redis.from_url(url) as client:
        while asyncio.get_running_loop().time() < end:
            with suppress(RedisError, OSError):
                await command(client, "CLIENT KILL", "TYPE", "pubsub")
            await asyncio.sleep(0.02)


async def back_from_an_old_save(running: System, reciters: list[Reciter]) -> None:
    await asyncio.sleep(3)
    await asyncio.to_thread(running.redis[0].save)
    await goes_on(reciters, 5)
    running.redis[0].restart_from_save()
    await feed_is_dead(running.redis[0].url, FEED_DEAD_S)


async def back_from_before_the_reconnects(running: System, reciters: list[Reciter]) -> None:
    """The save knows connections that have long been replaced: their successors are the living ones."""
    await asyncio.sleep(3)
    await asyncio.to_thread(running.redis[0].save)
    for reciter in reciters:
        reciter.drop()
    await goes_on(reciters, 4)
    running.redis[0].restart_from_save()


async def back_after_the_end(running: System, reciters: list[Reciter]) -> None:
    """All audio and `end` were sent; the last results are not there: the worker stands still until then."""
    await asyncio.sleep(3)
    await asyncio.to_thread(running.redis[0].save)
    await until(lambda: any(reciter.seconds_left <= LAST_S for reciter in reciters))
    running.freeze("worker-1")
    try:
        await until(lambda: all(reciter.has_sent_everything for reciter in reciters))
        running.redis[0].restart_from_save()
    finally:
        running.thaw("worker-1")
    await feed_is_dead(running.redis[0].url, FEED_DEAD_S)


async def goes_on(reciters: list[Reciter], seconds: float) -> None:
    """So much time, and more where nobody was answered in it: what is lost then is more than was saved."""
    before = [len(reciter.history.outcomes) for reciter in reciters]
    await asyncio.sleep(seconds)
    await until(
        lambda: any(
            len(reciter.history.outcomes) > answered
            for reciter, answered in zip(reciters, before, strict=True)
        )
    )


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the reciters tell nobody
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "fault", [back_from_an_old_save, back_from_before_the_reconnects, back_after_the_end]
)
async def test_a_redis_that_comes_back_older_states_what_is_lost(fault: Fault) -> None:
    async with system(gateways=2, workers=1, env=ENV) as running:
        calm = await undisturbed(running)
        stated = 0
        for number in range(RUNS):
            stated += len(await judged(running, fault, calm, f"{fault.__name__} {number}"))
    assert stated, "nothing was lost: the recipe proved nothing"


async def test_a_lagging_replica_that_is_promoted_states_what_is_lost() -> None:
    async with system(gateways=2, workers=1, env=ENV, proxied=True) as running:
        calm = await undisturbed(running)
        primary, proxy, stated = running.redis[0], running.proxies[0], 0
        for number in range(RUNS):
            async with EmbeddedRedis(extra=("--replica-read-only", "yes")) as replica:
                following = redis.asyncio.Redis.from_url(replica.url)

                async def failover(
                    running: System,
                    reciters: list[Reciter],
                    following: redis.asyncio.Redis = following,
                    replica: EmbeddedRedis = replica,
                ) -> None:
                    await command(following, "REPLICAOF", "127.0.0.1", str(primary.port))
                    await asyncio.sleep(4)
                    await command(following, "REPLICAOF", "127.0.0.1", "1")  # it hears no more
                    await goes_on(reciters, 4)
                    await command(following, "REPLICAOF", "NO", "ONE")
                    proxy.lead_to(replica.port)

                stated += len(await judged(running, failover, calm, f"failover {number}"))
                await following.aclose()
                await asyncio.to_thread(primary.restart, False)
                proxy.lead_to(primary.port)
    assert stated, "nothing was lost: the recipe proved nothing"


async def test_a_take_over_that_arrives_late_takes_nothing() -> None:
    """The client has long given that connection up and recites on another one."""
    async with system(gateways=2, workers=1, env=ENV, proxied=True) as running:
        calm = await undisturbed(running)

        async def late(running: System, reciters: list[Reciter]) -> None:
            await asyncio.sleep(2)
            for reciter in reciters[:2]:
                running.proxies[0].delay(TAKE_OVER.sha.encode(), 14.0)
                reciter.drop()
            await asyncio.sleep(20)

        for number in range(RUNS):
            before = running.proxies[0].delayed_requests
            await judged(running, late, calm, f"late take-over {number}", pace=0.8)
            assert running.proxies[0].delayed_requests > before
