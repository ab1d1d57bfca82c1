"""`rattil bench recitations SOURCE`: real recordings through the running system at the pace of life.

Every recording is recited once through `/ws/recite`, paced, `at_once` of them at a time, by the
reference client. Where the words stand at the end of the live session, and in the final report, is
counted by reciter. If the recordings are without mistakes, every wrong or missing word is a false alarm.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress, TaskID

from asr_worker.engines.model_files import read_card
from benchmarks.report import Report, Table
from benchmarks.system import system
from cli.modelling.recordings import Recording
from rattil.client import Recitation
from rattil.client.recitation import Final, Partial, ServerEvent
from rattil.client.sound_source import pieces, read_file
from shared.recitation.reference.passage import load_passage

STATUSES = ("correct", "minor_mistake", "wrong", "missing", "pending")
LIVE = {"WS_ADAPTIVE": "true", "ASR_MAX_SESSIONS": "0", "WS_SILENCE_DBFS": "-60"}
"""As the product runs: the benchmarks' steady settings are taken back."""

SHOWN_FAILURES = 5


@dataclass(slots=True)
class Recited:
    """One recitation: how its words stood live and in the report (`None`: no report came)."""

    reciter: str
    words: int
    live: Counter[str] = field(default_factory=Counter)
    final: Counter[str] | None = None
    failure: str = ""


class _LastStates:
    """Remembers the newest state of every word; a `Listener` of the client."""

    def __init__(self) -> None:
        self.live: Counter[str] = Counter()

    def on_event(self, event: ServerEvent) -> None:
        if isinstance(event, Partial):
            self.live = Counter(word.status for word in event.word_feedback)

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        """The client goes on by itself."""

    def on_all_sent(self) -> None:
        """Nothing to do."""


def run_recitations(
    model: Path, recordings: Sequence[Recording], console: Console, *, at_once: int
) -> Report:
    """Recite all of them. Their length over `at_once` is what it takes."""
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("recitations", total=len(recordings))
        recited = asyncio.run(_recite_all(model, recordings, at_once, progress, task))
    reciters = list(dict.fromkeys(one.reciter for one in recited))
    groups = {name: [one for one in recited if one.reciter == name] for name in reciters}
    card = read_card(model)
    everything = _rates(recited, "live")
    failures = [one.failure for one in recited if one.failure]
    return Report(
        name="recitations",
        headline={
            "recitations": len(recited),
            "correct": everything["correct"],
            "false_alarms": everything["false_alarms"],
            "failed": len(failures),
        },
        tables=[
            _table("words at the end of the live session, %", groups, "live"),
            _table("words in the final report, %", groups, "final"),
        ],
        figures={
            "live": {name: _rates(group, "live") for name, group in groups.items()},
            "final": {name: _rates(group, "final") for name, group in groups.items()},
            "failures": failures,
            "at_once": at_once,
        },
        model=f"{card.name} {card.version}".strip(),
        notes=[f"failed: {failure}" for failure in failures[:SHOWN_FAILURES]],
    )


async def _recite_all(
    model: Path, recordings: Sequence[Recording], at_once: int, progress: Progress, task: TaskID
) -> list[Recited]:
    turns = asyncio.Semaphore(at_once)
    async with system(env=LIVE | {"ASR_MODEL": str(model)}) as running:

        async def one(recording: Recording) -> Recited:
            async with turns:
                outcome = await _recite(running.urls, recording)
            progress.advance(task)
            return outcome

        return list(await asyncio.gather(*(one(recording) for recording in recordings)))


async def _recite(urls: Sequence[str], recording: Recording) -> Recited:
    verses = recording.verses
    states = _LastStates()
    gateways = [url.replace("http", "ws", 1) for url in urls]
    first, last = verses.first, verses.last
    session = Recitation(gateways, first.surah, first.ayah, last.ayah, listener=states)
    outcome = Recited(recording.reciter, len(load_passage(verses).words))
    try:
        pcm = await asyncio.to_thread(read_file, recording.path)
        ended = await session.run(pieces(pcm, realtime=True))
    except Exception as error:
        outcome.failure = f"{recording.path.name}: {type(error).__name__}: {error}"
        ended = None
    outcome.live = states.live or Counter(pending=outcome.words)
    if isinstance(ended, Final):
        outcome.final = Counter(word.status for word in ended.result.word_analysis)
    elif ended is not None:
        outcome.failure = f"{recording.path.name}: {msgspec.json.encode(ended).decode()}"
    return outcome


def _rates(recited: Sequence[Recited], which: str) -> dict[str, float]:
    """Shares of the words by state, percent."""
    total: Counter[str] = Counter()
    for one in recited:
        total.update(one.live if which == "live" else one.final or Counter(pending=one.words))
    words = max(1, total.total())
    rates = {status: round(100 * total[status] / words, 2) for status in STATUSES}
    return rates | {
        "false_alarms": round(rates["wrong"] + rates["missing"], 2),
        "words": total.total(),
        "recitations": len(recited),
    }


def _table(title: str, groups: dict[str, list[Recited]], which: str) -> Table:
    rows = []
    for name, group in groups.items():
        rates = _rates(group, which)
        shown = [f"{rates[status]:.1f}" for status in (*STATUSES, "false_alarms")]
        rows.append([name, str(len(group)), f"{rates['words']:.0f}", *shown])
    return Table(
        title,
        (
            "reciter",
            "recitations",
            "words",
            *(status.replace("_", " ") for status in STATUSES),
            "false alarms",
        ),
        rows,
        "false alarms: wrong and missing together, if nobody made a mistake",
    )
