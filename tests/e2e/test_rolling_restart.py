"""Two gateways and two workers are replaced one by one under 50 live recitations: nobody notices."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.chaos import ENV, PACE, recitals
from tests.e2e.history import check, differences
from tests.e2e.reciter import Reciter
from tests.e2e.system import System, system

SESSIONS = 50
REPEATS = 3
DRAIN_S = 3
NAMES = ("gateway-1", "gateway-2", "worker-1", "worker-2")
DRAINING = 4001

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_rolling_restart_is_not_noticed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async with system(gateways=2, workers=2, env=ENV | {"DRAIN_SECONDS": str(DRAIN_S)}) as running:
        calm = await reciters(running, 1, PACE)[0].recite()
        everyone = reciters(running, SESSIONS)
        async with replaced(running, tmp_path / "script.log") as restarts:
            ends = await asyncio.gather(*(reciter.recite() for reciter in everyone))
            status = await restarts
    verdict = check(list(ends))
    closes = Counter(code for reciter in everyone for code in reciter.closes)
    with capsys.disabled():
        print(f"\n{SESSIONS} sessions, 2 gateways and 2 workers replaced: {verdict}, closes {dict(closes)}")
    assert status == 0
    assert verdict.ok, verdict
    assert set(closes) == {DRAINING}
    assert sum(closes.values()) >= SESSIONS, "each session was on a gateway that went"
    assert [line for history in ends for line in differences(history, calm)] == []
    for url in running.ws_urls:  # a pause can't be shorter than it was asked to be
        assert spread_s(everyone, url) >= DRAIN_S / 2, "a gateway sends its sessions away one after the other"


def reciters(running: System, count: int, pace: float = 1.0) -> list[Reciter]:
    """In real time, and long enough to be moved twice."""
    first = recitals()[0]
    piece = replace(first, pcm=first.pcm * REPEATS, pace=pace)
    return [Reciter(f"r-{number:02d}", running.ws_urls, piece, deadline_s=200) for number in range(count)]


def spread_s(everyone: list[Reciter], url: str) -> float:
    """Seconds from the first to the last close of the connections to one gateway."""
    times = [time_s for reciter in everyone for gateway, time_s in reciter.left if gateway == url]
    return max(times) - min(times)


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
