"""`rattil bench words`: how long after a word was said is it shown, and how long until its state is settled?

A few measured reciters recite real recordings at the pace of life through `/ws/recite`, while a load of
others keeps the service as busy as asked. When a word was said is what the service itself found (the
word's `end_time`) on the client's own schedule of sending; shown is the first event in which the word has a
state, settled the first one in which that is final. Every window length runs on a system of its own.

Gateways measure the same for all their clients (`rattil_gateway_word_shown_seconds`, `..._settled_seconds`),
without the way to the client and back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from asr_worker.engines.model_files import read_card
from benchmarks.figures import percentile
from benchmarks.load.process import load
from benchmarks.load.run import LoadOrder
from benchmarks.report import Report, Table
from benchmarks.speech import Recording, recordings
from benchmarks.system import System, system
from shared.audio.formats import SAMPLE_RATE

FRAME_S = 0.1
MEASURED = 4
"""Reciters whose words are noted; the others only make the load."""
WARM_UP_S = 3.0


class WordBrief(msgspec.Struct):
    """Of a word's entry, what is measured."""

    status: str
    final: bool = False
    end_time: float | None = None


class EventBrief(msgspec.Struct):
    """Of an event, what is measured."""

    type: str
    word_feedback: list[WordBrief] = []


@dataclass(slots=True)
class WordTimes:
    """One reciter's words: seconds of its session at which each was said, shown and settled."""

    said_s: dict[int, float] = field(default_factory=dict)
    shown_s: dict[int, float] = field(default_factory=dict)
    settled_s: dict[int, float] = field(default_factory=dict)

    def note(self, words: Sequence[WordBrief], at_s: float) -> None:
        """An event that came `at_s` after the first sample was due."""
        for index, word in enumerate(words):
            if word.status in ("pending", "missing"):
                continue
            self.shown_s.setdefault(index, at_s)
            if word.end_time is not None:
                self.said_s[index] = word.end_time
            if word.final:
                self.settled_s.setdefault(index, at_s)

    def delays_ms(self) -> tuple[list[float], list[float]]:
        """(said to shown, said to settled) of every word that was said."""
        shown = [1000 * (self.shown_s[index] - said) for index, said in self.said_s.items()]
        settled = [
            1000 * (self.settled_s[index] - said)
            for index, said in self.said_s.items()
            if index in self.settled_s
        ]
        return shown, settled


@dataclass(frozen=True, slots=True)
class Row:
    """One window length at one number of reciters; ms."""

    window_s: float
    reciters: int
    words: int
    shown_p50_ms: float
    shown_p95_ms: float
    settled_p50_ms: float
    settled_p95_ms: float


def run_words(
    model: Path,
    console: Console,
    *,
    quick: bool,
    reciters: Sequence[int],
    windows_s: Sequence[float],
    voices: Sequence[Recording] = (),
) -> Report:
    """Measure every window length at every number of reciters. `voices`: default the bundled recordings."""
    spoken = list(voices) or list(recordings().values())
    rounds = 1 if quick else 3
    rows = asyncio.run(_measure_all(model, console, spoken, reciters, windows_s, rounds))
    card = read_card(model)
    worst = max(rows, key=lambda row: row.shown_p95_ms)
    return Report(
        name="words",
        headline={
            "reciters": worst.reciters,
            "window_s": worst.window_s,
            "said_to_shown_p50_ms": round(worst.shown_p50_ms),
            "said_to_shown_p95_ms": round(worst.shown_p95_ms),
            "said_to_settled_p95_ms": round(worst.settled_p95_ms),
        },
        tables=[_table(rows)],
        figures={"rows": [msgspec.to_builtins(row) for row in rows], "rounds": rounds},
        model=f"{card.name} {card.version}".strip(),
        notes=["the headline is the slowest row"],
    )


def shares_of(capacity: int) -> tuple[int, ...]:
    """One reciter, half of the capacity and all of it; nothing for no capacity."""
    return tuple(sorted({1, max(1, capacity // 2), capacity})) if capacity else ()


async def _measure_all(
    model: Path,
    console: Console,
    spoken: Sequence[Recording],
    reciters: Sequence[int],
    windows_s: Sequence[float],
    rounds: int,
) -> list[Row]:
    rows: list[Row] = []
    levels = len(windows_s) * len(reciters)
    for window_s in windows_s:
        env = {"ASR_MODEL": str(model), "WS_WINDOW_SECONDS": str(window_s), "WS_WINDOW_MIN": "1.0"}
        async with system(env=env) as running:
            for count in reciters:
                place = f"{len(rows) + 1} of {levels}: windows of {window_s:g} s, {count} reciters"
                console.print(place, style="dim", markup=False)
                row = _row(window_s, count, await _one_level(running, spoken, count, rounds))
                seen = f"shown p95 {row.shown_p95_ms:.0f} ms, settled p95 {row.settled_p95_ms:.0f} ms"
                console.print(f"  {row.words} words, {seen}", style="dim", markup=False)
                rows.append(row)
    return rows


async def _one_level(
    running: System, spoken: Sequence[Recording], reciters: int, rounds: int
) -> list[WordTimes]:
    measured = min(MEASURED, reciters)
    longest_s = max(len(one.pcm) for one in spoken) / 2 / SAMPLE_RATE
    turns = [spoken[(number + turn) % len(spoken)] for turn in range(rounds) for number in range(measured)]
    async with _others(running, reciters - measured, rounds * (longest_s + 6) + WARM_UP_S):
        times: list[WordTimes] = []
        for turn in range(rounds):
            group = turns[turn * measured : (turn + 1) * measured]
            # Not all at once: nobody recites in step.
            begun = [recite(running.urls[0], one, 0.37 * place) for place, one in enumerate(group)]
            times += await asyncio.gather(*begun)
        return times


@asynccontextmanager
async def _others(running: System, count: int, seconds: float) -> AsyncIterator[None]:
    """So many other reciters meanwhile."""
    if count < 1:
        yield
        return
    async with load(LoadOrder(running.urls, count, seconds, connect_per_s=80)) as clients:
        await clients.reach("streaming")
        await asyncio.sleep(WARM_UP_S)
        yield


async def recite(url: str, recording: Recording, delay_s: float) -> WordTimes:
    """Recite one recording at the pace of life, `delay_s` from now, and note when its words come."""
    await asyncio.sleep(delay_s)
    verses = recording.sample.verses
    surah, _, span = verses.partition(":")
    first, _, last = span.partition("-")
    target = f"{url.replace('http', 'ws', 1)}/ws/recite?surah={surah}&ayah={first}&to={last or first}"
    times, loop = WordTimes(), asyncio.get_running_loop()
    async with connect(target, compression=None, max_size=None) as socket:
        await socket.recv()
        begin_s = loop.time()
        listening = asyncio.create_task(_listen(socket, times, begin_s))
        step = round(FRAME_S * SAMPLE_RATE) * 2
        for number, start in enumerate(range(0, len(recording.pcm), step)):
            # A frame can only be sent once its last sample has been said.
            await asyncio.sleep(max(0.0, begin_s + (number + 1) * FRAME_S - loop.time()))
            await socket.send(recording.pcm[start : start + step])
        await socket.send("end")
        await listening
    return times


async def _listen(socket: ClientConnection, times: WordTimes, begin_s: float) -> None:
    loop = asyncio.get_running_loop()
    try:
        while True:
            event = _events.decode(await socket.recv())
            if event.type == "partial_result":
                times.note(event.word_feedback, loop.time() - begin_s)
            elif event.type in ("final_result", "final_result_error"):
                return
    except ConnectionClosed:
        return


def _row(window_s: float, reciters: int, times: Sequence[WordTimes]) -> Row:
    delays = [one.delays_ms() for one in times]
    shown = [delay for some, _ in delays for delay in some]
    settled = [delay for _, some in delays for delay in some]
    return Row(
        window_s,
        reciters,
        len(shown),
        percentile(shown, 0.5),
        percentile(shown, 0.95),
        percentile(settled, 0.5),
        percentile(settled, 0.95),
    )


def _table(rows: Sequence[Row]) -> Table:
    def cells(row: Row) -> list[str]:
        figures = (row.shown_p50_ms, row.shown_p95_ms, row.settled_p50_ms, row.settled_p95_ms)
        return [f"{row.window_s:g}", str(row.reciters), str(row.words), *(f"{one:.0f}" for one in figures)]

    return Table(
        "from the end of a word to its colour, ms",
        ("window, s", "reciters", "words", "shown p50", "shown p95", "settled p50", "settled p95"),
        [cells(row) for row in rows],
        "shown: the first event with a state for the word; settled: the first one in which it is final",
    )


_events: msgspec.json.Decoder[Any] = msgspec.json.Decoder(EventBrief)
