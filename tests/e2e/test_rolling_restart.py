"""Two gateways and two workers are replaced one by one under 50 live sessions of three dialects.

Recitations (`/ws/recite`) and transcriptions go on in another connection: no event is lost or doubled. The
third dialect is `/ws/verify`. Neither it nor the committed lines over TCP can resume; of the two it is the
one whose close code says what to do, so that a client can tell a move from a failure: it comes back, begins
anew, and gets the whole report. A line of text over TCP just ends.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from shared.recitation.reference.passage import VerseRange, load_passage
from tests.e2e.chaos import ENV, PACE, recitals
from tests.e2e.history import check, differences
from tests.e2e.other_dialects import Beginner, Transcriber, transcript_violations
from tests.e2e.reciter import Reciter
from tests.e2e.system import System, system

R = TypeVar("R", bound=Reciter)
RECITE, TRANSCRIBE, VERIFY = 20, 20, 10
SESSIONS = RECITE + TRANSCRIBE + VERIFY
REPEATS = 2
DRAIN_S = 3
NAMES = ("gateway-1", "gateway-2", "worker-1", "worker-2")
DRAINING = 4001
SETTINGS = ENV | {
    "DRAIN_SECONDS": str(DRAIN_S),
    "ASR_SCRIPTED_HEARS": "both",
    # Who has said all but the last word waits for the end of the restart, however slow this machine is.
    "WS_IDLE_TIMEOUT": "300",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_rolling_restart_is_not_noticed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async with system(gateways=2, workers=2, env=SETTINGS) as running:
        calm, calm_anew = await asyncio.gather(
            reciters(running, Reciter, 1, PACE)[0].recite(), reciters(running, Beginner, 1, PACE)[0].recite()
        )
        reciting = reciters(running, Reciter, RECITE)
        writing = reciters(running, Transcriber, TRANSCRIBE)
        beginning = reciters(running, Beginner, VERIFY)
        everyone: list[Reciter] = [*reciting, *writing, *beginning]
        all_replaced = asyncio.Event()
        for one in everyone:
            one.may_end = all_replaced
        reciting_now = asyncio.gather(*(one.recite() for one in everyone))
        while not all(one.history.connections for one in everyone):  # noqa: ASYNC110 - they tell nobody
            # Who is still opening its session when a gateway drains is sent away at once, not in its turn.
            await asyncio.sleep(0.02)
        async with replaced(running, tmp_path / "script.log") as restarts:
            status = await restarts
            all_replaced.set()
            await reciting_now
    verdict = check([one.history for one in reciting])
    said = words_said()
    closes = Counter(code for one in everyone for code in one.closes)
    left = [times for url in running.ws_urls if len(times := times_left(everyone, url)) >= SESSIONS / 5]
    with capsys.disabled():
        print(f"\n{SESSIONS} sessions, 2 gateways and 2 workers replaced: {verdict}, closes {dict(closes)}")
        for times in left:
            print(f"{len(times)} left a gateway within {max(times) - min(times):.1f} s")
    assert status == 0
    assert verdict.ok, verdict
    assert [line for one in reciting for line in differences(one.history, calm)] == []
    assert [line for one in writing for line in transcript_violations(one.history, said)] == []
    assert [one.history.name for one in beginning if one.history.report != calm_anew.report] == []
    unasked = {status for one in beginning for part in one.broken for status in part.statuses}
    assert unasked <= {"correct", "pending"}, "a gateway that leaves reports what it has heard and no mistake"
    assert [one.history.of("error") for one in beginning if one.history.of("error")] == []
    assert set(closes) == {DRAINING}
    assert all(one.closes for one in everyone), "each session was on a gateway that went"
    first = min(left, key=min)  # a pause can't be shorter than it was asked to be
    assert max(first) - min(first) >= DRAIN_S / 2, "a gateway sends its sessions away one after the other"


def reciters(running: System, kind: type[R], count: int, pace: float = 1.0) -> list[R]:
    """In real time."""
    first = recitals()[0]
    piece = replace(first, pcm=first.pcm * REPEATS, pace=pace)
    names = [f"{kind.__name__}-{number:02d}" for number in range(count)]
    return [kind(name, running.ws_urls, piece, deadline_s=280) for name in names]


def words_said() -> list[str]:
    """What the scripted engine writes of the piece: each sound is a word."""
    words = load_passage(VerseRange.parse("112:1-4")).words
    return [sound for word in words for sound in word.phones] * REPEATS


def times_left(everyone: Sequence[Reciter], url: str) -> list[float]:
    """When the connections to one gateway were closed, seconds."""
    return [time_s for reciter in everyone for gateway, time_s in reciter.left if gateway == url]


@asynccontextmanager
async def replaced(running: System, log: Path) -> AsyncIterator[asyncio.Task[int]]:
    """Run the script beside the block; what it started is ended afterwards.

    It writes to a file: a pipe would stay open as long as the processes that it starts.
    """
    services = [running.child(name) for name in NAMES]
    with log.open("wb") as out:
        script = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.rolling_restart"),
            *(f"{child.pid}={child.service.ready_url}" for child in services),
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
        )
    ending = asyncio.create_task(script.wait())
    try:
        yield ending
    finally:
        if script.returncode is None:
            script.terminate()
        await ending
        for pid in started(log):
            os.kill(pid, signal.SIGTERM)


def started(log: Path) -> list[int]:
    """The processes that the script says to have started."""
    found = re.findall(r"^restarted \d+ (\d+)", log.read_text(encoding="utf-8"), re.MULTILINE)
    return [int(pid) for pid in found]
