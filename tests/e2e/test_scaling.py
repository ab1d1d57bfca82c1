"""The autoscaler in the loop: real workers come and go by the query that KEDA asks, and nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.prometheus import prometheus
from benchmarks.scaling.bench import asleep
from benchmarks.scaling.controller import Controller
from benchmarks.scaling.metric import FromPrometheus, FromRouters
from benchmarks.scaling.scaled_object import read_scaled_object, rendered
from benchmarks.scaling.timeline import steps, watch
from benchmarks.scaling.workers import Workers, autoscaled
from tests.e2e.chaos import ENV, recitals
from tests.e2e.history import check, differences
from tests.e2e.reciter import Reciter
from tests.e2e.system import System, system
from tests.programs import needs

CROWD = 40
SLOTS = 20
"""Sessions of one worker: 40 at 70 % use need three of them."""
REPEATS = 3
HURRY = 60
"""The chart's waits are divided by it: from minutes to seconds."""
SLEEPS = {"autoscaling": {"type": "keda", "minReplicas": 0}}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


async def test_workers_come_and_go_with_the_reciters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = needs("prometheus")
    rules = read_scaled_object(rendered({"poolDefaults": SLEEPS}, "test"), HURRY)
    environment = ENV | {
        "ASR_CAPACITY": "fixed",
        "ASR_MAX_SESSIONS": str(SLOTS),
        "ROUTER_SCALE_MIN_REPLICAS": "0",
        "ROUTER_OVERFLOW": "queue",
        "ROUTER_QUEUE_TIMEOUT_S": "90",
    }
    async with system(env=environment) as running:
        port = running.plan.ports.routers[0]
        where = {"router": f"127.0.0.1:{port}"}
        async with prometheus(program, where, tmp_path, namespace="test") as watching:
            calm = await reciters(running, 1)[0].recite()
            metric, workers = FromPrometheus(watching, rules.query), Workers(running.stack)
            page = FromRouters([f"http://{where['router']}/metrics"], rules.query, {"namespace": "test"})
            async with (
                watch(f"http://{where['router']}/v1/capacity", lambda: workers.there) as moments,
                autoscaled(workers, Controller(rules), metric, rules.polling_s),
            ):
                everyone = await asyncio.gather(*(one.recite() for one in reciters(running, CROWD)))
                await asleep(workers)
                assert await page.ask() == 0
                slept = len(moments)
                # Nobody is there: the first to come waits, and wakes one.
                woken = await reciters(running, 1)[0].recite()
    verdict = check([*everyone, woken])
    with capsys.disabled():
        print(f"\n0 → {CROWD} → 0 → 1 sessions, workers {[now.there for now in steps(moments)]}: {verdict}")
    assert verdict.ok, verdict
    assert workers.faults == []
    assert max(now.there for now in moments) >= 3
    assert max(now.there for now in moments[slept:]) >= 1
    assert [line for one in (*everyone, woken) for line in differences(one, calm)] == []


def reciters(running: System, count: int) -> list[Reciter]:
    """In real time, and long enough for workers to start meanwhile."""
    first = recitals()[2]
    piece = replace(first, pcm=first.pcm * REPEATS, pace=1.0)
    return [Reciter(f"r-{number:02d}", running.ws_urls, piece, deadline_s=150) for number in range(count)]
