"""SIGTERM under load: sessions move on, nothing is done twice, nothing is left behind."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import httpx
import pytest
import redis

from tests.e2e.chaos import ENV, recitals
from tests.e2e.history import check, differences
from tests.e2e.reciter import Reciter
from tests.e2e.system import System, system

SESSIONS = 50
DRAINING = 4001
PERMANENT = re.compile(
    rb"asr:segments:.*|asr:dead|router:(known|pools|workers|leases|sessions:active|expiry|former-holders|pool:.*)|arq:.*"
)
"""Keys that belong to no session: streams with their groups, the registry, arq's own."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def reciters(running: System, count: int) -> list[Reciter]:
    pieces = recitals()
    return [Reciter(f"r-{n:02d}", running.ws_urls, pieces[n % len(pieces)]) for n in range(count)]


async def terminate(running: System, name: str, after_s: float) -> int:
    await asyncio.sleep(after_s)
    return await running.terminate(name)


async def test_a_drain_of_gateway_and_worker_is_not_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    async with system(gateways=2, workers=2, env=ENV) as running:
        calm = [await reciter.recite() for reciter in reciters(running, len(recitals()))]
        everyone = reciters(running, SESSIONS)
        async with asyncio.TaskGroup() as group:
            ends = [group.create_task(reciter.recite()) for reciter in everyone]
            gateway = group.create_task(terminate(running, "gateway-1", 1.5))
            worker = group.create_task(terminate(running, "worker-1", 2.0))
        assert (gateway.result(), worker.result()) == (0, 0)
        left = await metrics(running.child("worker-2").service.ready_url)
        capacity = await router_capacity(running)
        eternal = keys_without_ttl(running)
    verdict = check([end.result() for end in ends])
    closes = Counter(code for reciter in everyone for code in reciter.closes)
    with capsys.disabled():
        print(f"\n{SESSIONS} sessions, drain of a gateway and a worker: {verdict}, closes {dict(closes)}")
    assert verdict.ok, verdict
    assert set(closes) == {DRAINING}
    for number, history in enumerate(end.result() for end in ends):
        assert differences(history, calm[number % len(calm)]) == []
    assert left["rattil_worker_reclaimed_segments_total"] == 0
    assert left["rattil_worker_duplicate_commits_total"] == 0
    assert capacity == 0
    assert eternal == []


async def metrics(ready_url: str) -> dict[str, float]:
    """A service's plain counters, by name."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(ready_url.replace("/ready", "/metrics"))).text
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}


async def router_capacity(running: System) -> int:
    """Sessions that the router counts as active, once releases under way have arrived."""
    url = f"http://127.0.0.1:{running.plan.ports.routers[0]}/v1/capacity"
    active = -1
    async with httpx.AsyncClient() as http:
        for _ in range(50):
            active = sum(pool["active"] for pool in (await http.get(url)).json()["pools"])
            if active == 0:
                break
            await asyncio.sleep(0.1)
    return active


def keys_without_ttl(running: System) -> list[bytes]:
    """Keys that would stay for ever although they belong to something that ends."""
    found: list[bytes] = []
    for server in running.redis:
        with redis.Redis.from_url(server.url) as client:
            found += [
                key for key in client.scan_iter() if client.ttl(key) == -1 and not PERMANENT.fullmatch(key)
            ]
    return found
