"""A crowd at the door: `python -m benchmarks.load.crowd`, its order on the first line of standard input.

Each caller connects; who is let in recites to the end, who is refused comes back `every_s` later, on an
absolute schedule, whatever the refusal said about when to come back. The process loads, says `ready`,
and begins when standard input ends, so that its own start disturbs nobody. A crowd may also come and go
one after the other, as a tide does; each then ends its recitation and waits for the report.
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
REPORT_S = 60.0
ANSWER_S = 10.0
"""A call without an answer for so long was neither served nor refused."""


class CrowdOrder(msgspec.Struct, frozen=True):
    """How many callers, where, for how long (s), and how often each of them tries (s).

    `arrive_s`: over this time they come, one after the other (0: over `every_s`). `leave_s`: over this time
    at the end they finish, first come, first gone (0: all at the end, without a word).
    """

    urls: tuple[str, ...]
    callers: int
    seconds: float
    every_s: float = 5.0
    seed: int = 2
    arrive_s: float = 0.0
    leave_s: float = 0.0

    def stay(self, number: int) -> tuple[float, float]:
        """When this caller comes first and when it has finished, seconds after the beginning."""
        comes_s = (self.arrive_s or self.every_s) * number / self.callers
        last = max(1, self.callers - 1)
        return comes_s, self.seconds - self.leave_s * (self.callers - 1 - number) / last


class CrowdFigures(msgspec.Struct, frozen=True):
    """`refused`: calls by what they were told. `unanswered`: calls that were told nothing.

    `admitted`: what those who were let in saw. `waited_s`: how long each of them had to try.
    `reports`: final reports of those who finished.
    """

    callers: int
    calls: int
    refused: dict[str, int]
    unanswered: int
    admitted: LoadFigures
    waited_s: list[float] = []
    reports: int = 0

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
        self._waited_s: list[float] = []

    async def run(self) -> CrowdFigures:
        order = self._order
        began_s = self._loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(order.callers):
                comes_s, leaves_s = order.stay(number)
                url = order.urls[number % len(order.urls)]
                call = self._call(url, began_s + comes_s, began_s + leaves_s)
                group.create_task(call, name=f"caller-{number}")
        reciters = [reciter for reciter, _ in self._inside]
        await wait_for_results(reciters, self._spoken, GRACE_S)
        admitted = figures_of(
            reciters, self._spoken, [began_s for _, began_s in self._inside], FRAME_MS / 1000
        )
        for reciter in reciters:
            reciter.leave()
        await asyncio.sleep(0.2)
        reports = sum(reciter.reported for reciter in reciters)
        return CrowdFigures(
            order.callers,
            self._calls,
            dict(self._refused),
            self._unanswered,
            admitted,
            self._waited_s,
            reports,
        )

    async def _call(self, url: str, due_s: float, until_s: float) -> None:
        """One caller, until it is let in or the time is over."""
        came_s = due_s
        while due_s < until_s:
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            reciter = await self._connect(url)
            if reciter.accepted:
                self._waited_s.append(self._loop.time() - came_s)
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
        if self._order.leave_s:
            await self._finish(reciter)

    async def _finish(self, reciter: Reciter) -> None:
        """Let one end its recitation and wait for the report."""
        await wait_for_results([reciter], self._spoken, GRACE_S)
        reciter.finish()
        try:
            async with asyncio.timeout(REPORT_S):
                while not (reciter.reported or reciter.closed):  # noqa: ASYNC110 (it tells nobody)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            return


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
