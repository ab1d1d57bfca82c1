"""The autoscaler in the loop: real workers come and go by the query that KEDA asks, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cli.ports import free_port
from cli.processes import Service
from tests.e2e.chaos import ENV, recitals
from tests.e2e.history import check, differences
from tests.e2e.prometheus import Prometheus, prometheus
from tests.e2e.reciter import Reciter
from tests.e2e.system import System, system
from tests.programs import needs
from tests.unit.deploy.objects import pool, released

CROWD = 40
SLOTS = 20
"""Sessions of one worker: 40 at 70 % use need three of them."""
REPEATS = 3
NAMESPACE = "test"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


async def test_workers_come_and_go_with_the_reciters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = needs("prometheus")
    environment = ENV | {
        "ASR_CAPACITY": "fixed",
        "ASR_MAX_SESSIONS": str(SLOTS),
        "ROUTER_SCALE_MIN_REPLICAS": "0",
        "ROUTER_OVERFLOW": "queue",
        "ROUTER_QUEUE_TIMEOUT_S": "90",
    }
    async with system(env=environment) as running:
        where = {"router": f"127.0.0.1:{running.plan.ports.routers[0]}"}
        async with prometheus(program, where, tmp_path) as watching:
            calm = await reciters(running, 1)[0].recite()
            async with Autoscaler(running, watching).scaling() as scaler:
                everyone = await asyncio.gather(*(one.recite() for one in reciters(running, CROWD)))
                most = scaler.most
                await scaler.until(0)
                # Nobody is there: the first to come waits, and wakes one.
                woken = await reciters(running, 1)[0].recite()
                least = scaler.counts.index(0, scaler.counts.index(most))
    verdict = check([*everyone, woken])
    with capsys.disabled():
        print(f"\n0 → {CROWD} → 0 → 1 sessions, workers over time {scaler.steps}: {verdict}")
    assert verdict.ok, verdict
    assert most >= 3
    assert max(scaler.counts[least:]) >= 1
    assert [line for one in (*everyone, woken) for line in differences(one, calm)] == []


def reciters(running: System, count: int) -> list[Reciter]:
    """In real time, and long enough for workers to start meanwhile."""
    first = recitals()[2]
    piece = replace(first, pcm=first.pcm * REPEATS, pace=1.0)
    return [Reciter(f"r-{number:02d}", running.ws_urls, piece, deadline_s=150) for number in range(count)]


def query_of_keda() -> str:
    """What the chart has KEDA ask."""
    scaled = released(pool(autoscaling={"type": "keda"})).one("ScaledObject", "worker-default")
    query = str(scaled["spec"]["triggers"][0]["metadata"]["query"])
    return query.replace('namespace="rattil"', f'namespace="{NAMESPACE}"')


class Autoscaler:
    """What KEDA and the HPA do: ask, start what is missing, stop one at a time what is too much."""

    def __init__(self, running: System, watching: Prometheus) -> None:
        self._running = running
        self._watching = watching
        self._template = running.child("worker-1").service
        self._names = ["worker-1"]
        self._started = 1
        self.counts = [1]

    @property
    def most(self) -> int:
        return max(self.counts)

    @property
    def steps(self) -> list[int]:
        """The number of workers whenever it changed."""
        return [n for at, n in enumerate(self.counts) if at == 0 or self.counts[at - 1] != n]

    @asynccontextmanager
    async def scaling(self) -> AsyncIterator[Autoscaler]:
        """Scale until the end of the block; a failure of the controller is the test's."""
        control = asyncio.create_task(self._control())
        try:
            yield self
        finally:
            control.cancel()
            for failure in await asyncio.gather(control, return_exceptions=True):
                assert isinstance(failure, asyncio.CancelledError), failure

    async def until(self, workers: int) -> None:
        """Wait for so many workers."""
        async with asyncio.timeout(90):
            while len(self._names) != workers:  # noqa: ASYNC110 (what changes it is another task's loop)
                await asyncio.sleep(0.2)

    async def _control(self) -> None:
        query = query_of_keda()
        while True:
            wanted = await self._watching.value(query)
            if wanted is not None and wanted > len(self._names):
                await self._start(int(wanted) - len(self._names))
            elif wanted is not None and wanted < len(self._names):
                name = self._names.pop()
                assert await self._running.terminate(name) == 0
                self._running.stack.children.remove(self._running.child(name))
            self.counts.append(len(self._names))
            await asyncio.sleep(1)

    async def _start(self, missing: int) -> None:
        new = [self._worker(self._started + number) for number in range(1, missing + 1)]
        self._started += missing
        await self._running.stack.start(new)
        self._names += [service.name for service in new]

    def _worker(self, number: int) -> Service:
        port = free_port()
        environment = {**self._template.env, "WORKER_HTTP_PORT": str(port)}
        ready = f"http://127.0.0.1:{port}/ready"
        return replace(self._template, name=f"worker-{number}", env=environment, ready_url=ready)
