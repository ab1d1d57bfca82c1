"""One round of chaos: many short recitations, and faults drawn from a seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from asr_worker.engines.scripted import speak
from shared.bus.redis_sessions import COMMIT, PUSH
from shared.recitation.reference.passage import VerseRange, load_passage
from tests.e2e.clumsy import ClumsyReciter
from tests.e2e.history import History, Verdict, check, differences
from tests.e2e.reciter import Recital, Reciter
from tests.e2e.system import System

SESSIONS = 15
FAULTS = 5
PACE = 2.5
FREEZE_S = 2.6
"""Longer than `ASR_RECLAIM_MS` of `ENV`: the frozen worker's segments are taken over meanwhile."""

ENV = {
    "ASR_ENGINE": "scripted",
    "ASR_SCRIPTED_DELAY_MS": "20",
    "ASR_RECLAIM_MS": "1500",
    "ASR_RECLAIM_EVERY_MS": "300",
    "HEARTBEAT_S": "0.5",
    "WS_WINDOW_SECONDS": "1.5",
    # Faults hold audio back; windows must stay what they are without faults, to be compared one by one.
    "WS_COALESCE": "false",
    "SEGMENT_CHECK_S": "1",
    "DRAIN_SECONDS": "1",
}


@lru_cache
def recitals() -> tuple[Recital, ...]:
    """What the scripted engine hears without error: clean, a word left out, a word said twice."""
    found = []
    for verses, order in (
        ("112:1-4", None),
        ("114:1-3", (0, 1, 2, 4, 5, 6)),
        ("1:1-4", (0, 1, 2, 3, 2, 3, 4, 5, 6, 7, 8)),
    ):
        passage = load_passage(VerseRange.parse(verses))
        words = range(len(passage.words)) if order is None else order
        symbols = [symbol for word in words for symbol in (*passage.words[word].phones, None)]
        surah, first, last = (int(part) for part in verses.replace(":", "-").split("-"))
        found.append(Recital(speak(symbols).tobytes(), surah, first, last, pace=PACE))
    return tuple(found)


@dataclass
class Round:
    """What happened under one seed."""

    seed: int
    verdict: Verdict
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.verdict} [{'; '.join(self.notes)}]"


async def undisturbed(running: System) -> list[History]:
    """Each recital once, without faults: what all others must come to."""
    reciters = [
        Reciter(f"calm-{number}", running.ws_urls, recital) for number, recital in enumerate(recitals())
    ]
    return await asyncio.gather(*(reciter.recite() for reciter in reciters))


async def chaos(running: System, calm: list[History], seed: int) -> Round:
    """Everyone recites, things break; the verdict on all of it."""
    rng = random.Random(seed)
    strikes = Strikes(running, rng)
    pieces = recitals()
    reciters = [
        ClumsyReciter(f"reciter-{number:02d}", running.ws_urls, pieces[number % len(pieces)], seed)
        for number in range(SESSIONS)
    ]
    async with asyncio.TaskGroup() as group:
        ends = [group.create_task(_ended(reciter)) for reciter in reciters]
        for at_s, strike in strikes.draw(FAULTS):
            group.create_task(_later(at_s, strike))
    failures = [failure for end in ends if (failure := end.result())]
    histories = [reciter.history for reciter in reciters]
    found = [
        difference
        for number, history in enumerate(histories)
        for difference in differences(history, calm[number % len(pieces)])
    ]
    failures += [f"{name} ended by itself" for name in running.crashed()]
    verdict = check(histories)
    mishaps = sum(len(reciter.mishaps) for reciter in reciters)
    whole = Verdict(
        verdict.sessions,
        verdict.segments,
        verdict.reconnects,
        verdict.lost,
        (*failures, *verdict.violations, *found),
    )
    return Round(seed, whole, [*strikes.notes, f"{mishaps} client mishaps"])


async def _ended(reciter: ClumsyReciter) -> str:
    """Recite to the end; what was wrong with the end, if anything."""
    try:
        await reciter.recite()
    except Exception as failure:  # a verdict on one session must not end the others
        last = str(reciter.history.events[-1:])[:150]
        return f"{reciter.history.name}: did not end ({failure!r}, {reciter.mishaps}, last {last})"
    return ""


async def _later(at_s: float, strike: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(at_s)
    await strike()


class Strikes:
    """The faults. At most one process of a kind is away at a time."""

    def __init__(self, running: System, rng: random.Random) -> None:
        self._running = running
        self._rng = rng
        self._away = {kind: asyncio.Lock() for kind in ("worker", "gateway", "router", "redis")}
        self.notes: list[str] = []

    def draw(self, count: int) -> Iterator[tuple[float, Callable[[], Awaitable[None]]]]:
        """(seconds from the start, fault), `count` times."""
        kinds: list[Callable[[], Awaitable[None]]] = [
            lambda: self._kill("worker"),
            lambda: self._kill("gateway"),
            lambda: self._kill("router"),
            lambda: self._freeze("worker"),
            lambda: self._freeze("gateway"),
            self._restart_redis,
            lambda: self._terminate("worker"),
            lambda: self._terminate("gateway"),
            self._cut,
            self._lose_push,
            self._lose_commit,
        ]
        for _ in range(count):
            yield self._rng.uniform(0.3, 5.0), self._rng.choice(kinds)

    async def _kill(self, kind: str) -> None:
        name = f"{kind}-{self._rng.choice((1, 2))}"
        async with self._away[kind]:
            self.notes.append(f"kill {name}")
            await self._running.kill(name)
            await self._running.bring_back(name)

    async def _terminate(self, kind: str) -> None:
        name = f"{kind}-{self._rng.choice((1, 2))}"
        async with self._away[kind]:
            status = await self._running.terminate(name)
            self.notes.append(f"drain {name} -> {status}")
            assert status == 0, f"{name} ended its drain with {status}"
            await self._running.bring_back(name)

    async def _freeze(self, kind: str) -> None:
        name = f"{kind}-{self._rng.choice((1, 2))}"
        async with self._away[kind]:
            self.notes.append(f"freeze {name}")
            self._running.freeze(name)
            try:
                await asyncio.sleep(FREEZE_S)
            finally:
                self._running.thaw(name)

    async def _restart_redis(self) -> None:
        """With its data: without it a loss is to be expected, and another test counts it."""
        async with self._away["redis"]:
            number = self._rng.randrange(len(self._running.redis))
            self.notes.append(f"restart redis {number}")
            await asyncio.to_thread(self._running.redis[number].restart, True)

    async def _cut(self) -> None:
        self.notes.append("cut")
        for proxy in self._running.proxies:
            proxy.cut(self._rng.choice((0.3, 0.6, 1.0)), self._rng)

    async def _lose_push(self) -> None:
        self.notes.append("lose a push's reply")
        for proxy in self._running.proxies:
            proxy.lose_reply(PUSH.sha.encode())

    async def _lose_commit(self) -> None:
        self.notes.append("lose a commit's reply")
        for proxy in self._running.proxies:
            proxy.lose_reply(COMMIT.sha.encode())
