"""A crowd at the door: `python -m benchmarks.load.crowd`, its order on the first line of standard input.

Each caller connects; who is let in recites to the end, who is refused comes back `every_s` later, on an
absolute schedule, whatever the refusal said about when to come back. The process loads, says `ready`,
and begins when standard input ends, so that its own start disturbs nobody.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from urllib.parse import urlsplit

import msgspec
import uvloop

from benchmarks.load.audio import Programme, programme
from benchmarks.load.reciter import Reciter
from benchmarks.load.results import LoadFigures
from benchmarks.load.run import figures_of, wait_for_results

FRAME_MS = 250
GRACE_S = 5.0
ANSWER_S = 10.0
"""A call without an answer for so long was neither served nor refused."""


class CrowdOrder(msgspec.Struct, frozen=True):
    """How many callers, where, for how long (s), and how often each of them tries (s)."""

    urls: tuple[str, ...]
    callers: int
    seconds: float
    every_s: float = 5.0
    seed: int = 2


class CrowdFigures(msgspec.Struct, frozen=True):
    """`refused`: calls by what they were told. `unanswered`: calls that were told nothing.

    `admitted`: what those who were let in saw.
    """

    callers: int
    calls: int
    refused: dict[str, int]
    unanswered: int
    admitted: LoadFigures

    @property
    def turned_away(self) -> int:
        """Calls that were refused in words."""
        return sum(self.refused.values())


class CrowdPhase(msgspec.Struct, frozen=True):
    """A line on standard output; `crowd` only with the last."""

    phase: str
    crowd: CrowdFigures | None = None


class _Crowd:
    """All callers of one order."""

    def __init__(self, order: CrowdOrder, spoken: Programme) -> None:
        self._order = order
        self._spoken = spoken
        self._chance = random.Random(order.seed)
        self._loop = asyncio.get_running_loop()
        self._calls = 0
        self._unanswered = 0
        self._refused: Counter[str] = Counter()
        self._inside: list[tuple[Reciter, float]] = []

    async def run(self) -> CrowdFigures:
        order = self._order
        until_s = self._loop.time() + order.seconds
        async with asyncio.TaskGroup() as group:
            for number in range(order.callers):
                first_s = until_s - order.seconds + order.every_s * number / order.callers
                url = order.urls[number % len(order.urls)]
                group.create_task(self._call(url, first_s, until_s), name=f"caller-{number}")
        reciters = [reciter for reciter, _ in self._inside]
        await wait_for_results(reciters, self._spoken, GRACE_S)
        admitted = figures_of(
            reciters, self._spoken, [began_s for _, began_s in self._inside], FRAME_MS / 1000
        )
        for reciter in reciters:
            reciter.leave()
        await asyncio.sleep(0.2)
        return CrowdFigures(order.callers, self._calls, dict(self._refused), self._unanswered, admitted)

    async def _call(self, url: str, due_s: float, until_s: float) -> None:
        """One caller, until it is let in or the time is over."""
        while due_s < until_s:
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            reciter = await self._connect(url)
            if reciter.accepted:
                await self._recite(reciter, until_s)
                return
            due_s += self._order.every_s

    async def _connect(self, url: str) -> Reciter:
        self._calls += 1
        settled = asyncio.Event()
        reciter = Reciter(self._spoken, self._chance.randrange(len(self._spoken.frames)), settled.set)
        where = urlsplit(url)
        host, port = where.hostname or "127.0.0.1", where.port or 80
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._loop.create_connection(lambda: reciter, host, port)
                reciter.open(host, port)
                await settled.wait()
        except (TimeoutError, OSError):
            pass
        if not reciter.accepted:
            if reciter.refused:
                self._refused[reciter.refused] += 1
            else:
                self._unanswered += 1
            reciter.leave()
        return reciter

    async def _recite(self, reciter: Reciter, until_s: float) -> None:
        began_s, frame_s = self._loop.time(), FRAME_MS / 1000
        self._inside.append((reciter, began_s))
        frames = int((until_s - began_s) / frame_s)
        if frames > 0:
            reciter.begin(began_s, frame_s, frames)
        await asyncio.sleep(max(0.0, until_s - began_s))


async def _run(order: CrowdOrder, spoken: Programme) -> CrowdFigures:
    return await _Crowd(order, spoken).run()


def _announce(phase: CrowdPhase) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(phase) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """See the module."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=CrowdOrder)
    spoken = programme("speech", FRAME_MS)
    _announce(CrowdPhase("ready"))
    sys.stdin.buffer.read()
    _announce(CrowdPhase("done", uvloop.run(_run(order, spoken))))


if __name__ == "__main__":
    main()
