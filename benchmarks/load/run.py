"""One load run in a process of its own: `python -m benchmarks.load.run`, order on standard input.

Phases, each announced as a line on standard output: connect (at a bounded rate), hold (connected,
silent), stream (on an absolute schedule), stop, and after a grace for the last results the figures.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
from collections import Counter
from urllib.parse import urlsplit

import msgspec
import uvloop

from benchmarks.figures import percentile
from benchmarks.load.audio import Programme, Voice, programme
from benchmarks.load.reciter import Reciter
from benchmarks.load.results import (
    LoadFigures,
    ends_of_answered,
    failures,
    order_faults,
    session_latencies,
    unanswered,
)

CONNECT_TIMEOUT_S = 60.0
LEAD_S = 0.5


class LoadOrder(msgspec.Struct, frozen=True):
    """Who recites what, where, for how long. Times in s; sessions begin spread over `spread_s`.

    `anywhere`: each session begins at another place of the recitation, not at its beginning.
    """

    urls: tuple[str, ...]
    sessions: int
    seconds: float
    voice: Voice = "speech"
    frame_ms: int = 250
    connect_per_s: float = 100.0
    hold_s: float = 0.0
    spread_s: float = 2.0
    anywhere: bool = True
    grace_s: float = 5.0
    seed: int = 1


class Phase(msgspec.Struct, frozen=True):
    """A line on standard output; `figures` only with the last."""

    phase: str
    accepted: int = 0
    figures: LoadFigures | None = None


async def run(order: LoadOrder) -> LoadFigures:
    """Everything, announced phase by phase."""
    spoken = programme(order.voice, order.frame_ms)
    chance = random.Random(order.seed)
    reciters = await _connect_all(order, spoken, chance)
    _announce(Phase("connected", sum(reciter.accepted for reciter in reciters)))
    await asyncio.sleep(order.hold_s)
    loop = asyncio.get_running_loop()
    frame_s = order.frame_ms / 1000
    start_s = loop.time() + LEAD_S
    begins = [start_s + chance.uniform(0, order.spread_s) for _ in reciters]
    for reciter, begin_s in zip(reciters, begins, strict=True):
        reciter.begin(begin_s, frame_s, int(order.seconds / frame_s))
    if order.seconds > 0:
        await asyncio.sleep(LEAD_S + order.spread_s)
        _announce(Phase("streaming"))
        await asyncio.sleep(max(0.0, order.seconds - order.spread_s))
        _announce(Phase("stop"))
        await asyncio.sleep(order.spread_s)
        await wait_for_results(reciters, spoken, order.grace_s)
    figures = figures_of(reciters, spoken, begins, frame_s)
    for reciter in reciters:
        reciter.leave()
    await asyncio.sleep(0.2)
    return figures


async def _connect_all(order: LoadOrder, spoken: Programme, chance: random.Random) -> list[Reciter]:
    """Open all connections at the ordered rate and wait until each is ready or refused."""
    loop = asyncio.get_running_loop()
    all_settled = asyncio.Event()
    settled = 0

    def on_settled() -> None:
        nonlocal settled
        settled += 1
        if settled == order.sessions:
            all_settled.set()

    reciters: list[Reciter] = []
    began_s = loop.time()
    for number in range(order.sessions):
        await asyncio.sleep(max(0.0, began_s + number / order.connect_per_s - loop.time()))
        first_frame = chance.randrange(len(spoken.frames)) if order.anywhere else 0
        reciter = Reciter(spoken, first_frame, on_settled)
        reciters.append(reciter)
        where = urlsplit(order.urls[number % len(order.urls)])
        host, port = where.hostname or "127.0.0.1", where.port or 80
        await loop.create_connection(lambda reciter=reciter: reciter, host, port)  # type: ignore[misc]
        reciter.open(host, port)
    if reciters:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await all_settled.wait()
        except TimeoutError:
            print(f"{order.sessions - settled} connections got no answer", file=sys.stderr)
    return reciters


async def wait_for_results(reciters: list[Reciter], spoken: Programme, grace_s: float) -> None:
    """Wait for the last results, at most `grace_s`."""
    try:
        async with asyncio.timeout(grace_s):
            while any(  # noqa: ASYNC110 (a few checks of many sources)
                _missing(reciter, spoken) and not reciter.closed for reciter in reciters
            ):
                await asyncio.sleep(0.05)
    except TimeoutError:
        return


def _missing(reciter: Reciter, spoken: Programme) -> int:
    if not reciter.accepted or not reciter.sent_s:
        return 0
    sent = len(reciter.sent_s) * spoken.frame_samples
    return unanswered(len(ends_of_answered(sent, reciter.window_s, reciter.arrivals)), reciter.arrivals)


def figures_of(
    reciters: list[Reciter], spoken: Programme, begins: list[float], frame_s: float
) -> LoadFigures:
    """What they saw; `begins`: when each of them was to begin, loop time."""
    accepted = [reciter for reciter in reciters if reciter.accepted]
    faults = [order_faults(reciter.arrivals) for reciter in accepted]
    measured = [
        session_latencies(number, reciter.window_s, spoken.frame_samples, reciter.sent_s, reciter.arrivals)
        for number, reciter in enumerate(accepted)
    ]
    late_ms = [
        1000 * (sent_s - begin_s - number * frame_s)
        for reciter, begin_s in zip(reciters, begins, strict=True)
        for number, sent_s in enumerate(reciter.sent_s)
    ]
    refused = [reciter for reciter in reciters if not reciter.accepted]
    return LoadFigures(
        sessions=len(reciters),
        accepted=len(accepted),
        refused=dict(Counter(reciter.refused or "no answer" for reciter in refused)),
        closed=dict(Counter(reciter.closed for reciter in accepted if reciter.closed)),
        troubles=dict(Counter(code for reciter in accepted for code in reciter.troubles)),
        due=sum(due for _, due in measured),
        lost=sum(_missing(reciter, spoken) for reciter in accepted),
        duplicates=sum(duplicates for duplicates, _ in faults),
        disordered=sum(disordered for _, disordered in faults),
        failed=dict(sum((failures(reciter.arrivals) for reciter in accepted), Counter())),
        unreported=sum(1 for reciter in refused if not reciter.refused)
        + sum(1 for reciter in accepted if reciter.closed.startswith("lost")),
        events=sum(reciter.events for reciter in reciters),
        late_frames_p99_ms=percentile(late_ms, 0.99) if late_ms else 0.0,
        session_ids=[reciter.session_id for reciter in accepted],
        segments=[segment for segments, _ in measured for segment in segments],
    )


def _announce(phase: Phase) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(phase) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """See the module."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=LoadOrder)
    _announce(Phase("done", figures=uvloop.run(run(order))))


if __name__ == "__main__":
    main()
