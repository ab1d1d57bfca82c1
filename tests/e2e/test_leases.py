"""Slots of live sessions: real routers that go away and come back, a full pool, secrets that stay secret."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import redis
import websockets
from websockets.asyncio.client import connect

from shared.ids import short_id
from tests.e2e.chaos import ENV, recitals
from tests.e2e.history import check
from tests.e2e.reciter import Recital, Reciter
from tests.e2e.system import System, system

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SLOTS = 4
AWAY_S = 7.0
"""More than twice the life of a lease here."""

LONG_S = 45.0
"""How long these recitations last: routers need a while to start on a busy machine."""

LEASES = {
    "ASR_CAPACITY": "fixed",
    "ASR_MAX_SESSIONS": str(SLOTS),
    "ROUTER_LEASE_TTL_S": "3",
    "LEASE_RENEW_S": "0.8",
    "REFUSAL_MEMORY_S": "0",
}


async def active(running: System, number: int = 1) -> int:
    """Sessions that a router counts."""
    url = f"http://127.0.0.1:{running.plan.ports.routers[number - 1]}/v1/capacity"
    async with httpx.AsyncClient() as http:
        return sum(pool["active"] for pool in (await http.get(url)).json()["pools"])


async def newcomer(running: System) -> str:
    """What a new session is told: `ready`, or the code of its refusal."""
    async with connect(f"{running.ws_urls[0]}/ws/recite?surah=1&ayah=1", open_timeout=5) as socket:
        event = json.loads(await socket.recv())
    return str(event.get("code") or event["type"])


async def test_routers_that_go_and_come_back_cost_no_session_its_slot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pieces = [Recital(piece.pcm, piece.surah, piece.ayah, piece.to) for piece in recitals()]
    slow = [
        Recital(piece.pcm, piece.surah, piece.ayah, piece.to, pace=piece.samples / 16_000 / LONG_S)
        for piece in pieces
    ]
    async with system(gateways=2, routers=2, env=ENV | LEASES) as running:
        reciters = [Reciter(f"r-{n}", running.ws_urls, slow[n % len(slow)]) for n in range(SLOTS)]
        ends = [asyncio.create_task(reciter.recite()) for reciter in reciters]
        await asyncio.sleep(3)
        assert await active(running) == SLOTS
        assert await newcomer(running) == "no_capacity"

        await running.kill("router-1")
        await running.kill("router-2")
        await asyncio.sleep(AWAY_S / 2)
        reciters[0].drop()  # and resume without any router
        assert await newcomer(running) == "router_unavailable"
        for url in running.plan.gateway_urls:
            async with httpx.AsyncClient() as http:
                ready = await http.get(url + "/ready")
            assert ready.status_code == 200
            assert [text.partition(":")[0] for text in ready.json()["missing"]] == ["routers"]
        await asyncio.sleep(AWAY_S / 2)

        await running.bring_back("router-1")
        await running.bring_back("router-2")
        told, counted = [], []
        for _ in range(12):
            told.append(await newcomer(running))
            counted.append(await active(running, 2))
            await asyncio.sleep(0.25)
        assert not any(end.done() for end in ends), "the recitations were too short for this machine"
        assert set(told) <= {"no_capacity", "router_unavailable"}
        assert set(counted) == {SLOTS}

        histories = [await end for end in ends]
        left = SLOTS
        for _ in range(50):
            left = await active(running)
            if left == 0:
                break
            await asyncio.sleep(0.1)
    verdict = check(histories)
    with capsys.disabled():
        print(f"\nrouters away for {AWAY_S:g} s: {verdict}; newcomers were told {sorted(set(told))}")
    assert verdict.ok, verdict
    assert left == 0
    assert [code for reciter in reciters for code in reciter.closes] == [None]


async def events(url: str, query: dict[str, Any], pcm: bytes, *, end: bool) -> list[dict[str, Any]]:
    """One connection: everything it hears until it is closed, or until its audio is safe."""
    seen: list[dict[str, Any]] = []
    async with connect(f"{url}/ws/recite?{urlencode(query)}", open_timeout=5) as socket:
        try:
            for start in range(0, len(pcm), 16_000):
                await socket.send(pcm[start : start + 16_000])
            if end:
                await socket.send("end")
            while end or not any(event["type"] == "ack" for event in seen):
                seen.append(json.loads(await socket.recv()))
        except websockets.ConnectionClosed:
            pass
    return seen


async def test_no_service_tells_a_whole_session_id(capsys: pytest.CaptureFixture[str]) -> None:
    """At the most talkative level: logs, metrics, listings, job ids, errors to other clients."""
    secret = "Zk3-a-whole-session-id_9"
    piece = recitals()[0]
    ours = {"session_id": secret, "surah": piece.surah, "ayah": piece.ayah, "to": piece.to}
    resumed = ours | {"last_seq": -1, "offset": 0}
    told: list[str] = []
    async with system(gateways=2, env=ENV | {"LOG_LEVEL": "debug"}, log_lines=100_000) as running:
        one, two = running.ws_urls
        await events(one, ours, piece.pcm[:200_000], end=False)
        refused = await events(two, ours | {"surah": 1, "ayah": 1, "to": 1}, b"", end=True)
        assert refused[-1]["code"] == "passage_mismatch"
        told.append(json.dumps(refused))
        heard = await events(two, resumed, b"", end=True)
        assert heard[0]["resumed"] is True
        assert heard[-1]["type"] in ("final_result", "final_result_error")
        router = f"http://127.0.0.1:{running.plan.ports.routers[0]}"
        async with httpx.AsyncClient() as http:
            for child in running.stack.children:
                address = child.service.ready_url.removesuffix("/ready")
                told.append((await http.get(address + "/metrics")).text)
            told.append((await http.get(router + "/v1/sessions")).text)
            told.append((await http.get(router + "/v1/workers")).text)
        for server in running.redis:
            with redis.Redis.from_url(server.url) as client:
                told += [key.decode() for key in client.scan_iter("arq:*")]
        log = list(running.log)
    lines = [line for line in log if short_id(secret) in line]
    services = {line.partition(" ")[0].rpartition("-")[0] for line in lines}
    with capsys.disabled():
        print(f"\n{len(log)} lines of log, {len(lines)} about the session, of {sorted(services)}")
    assert services >= {"gateway", "worker", "router"}
    assert [line for line in [*log, *told] if secret in line] == []
