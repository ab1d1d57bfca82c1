"""Two bundled models side by side in real processes: each session has its own, the accurate one judges."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cli.sample_files import load_samples
from shared.audio.decode import decode_file
from shared.pools import parse_pools
from tests.e2e.system import System, system

POOLS = parse_pools("fast=rattil-tiny,accurate=rattil-base")
SAMPLE = load_samples()["fatiha_clean"]
PATH = "/ws/recite?surah=1&ayah=1&to=7"
PATIENT = {
    # Two models on a busy machine: nothing may be given up meanwhile.
    "SEGMENT_TIMEOUT_S": "120",
    "SEGMENT_DEADLINE_S": "120",
    "VERIFY_TIMEOUT_S": "120",
    "ASR_JOB_TIMEOUT_S": "120",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Event = dict[str, Any]


async def recited(url: str, begun: asyncio.Barrier | None = None) -> list[Event]:
    """All events of one recitation of the sample; with others, nobody ends before all have begun."""
    pcm = decode_file(SAMPLE.path)
    events: list[Event] = []
    async with connect(url) as socket:
        try:
            events.append(json.loads(await socket.recv()))
            await _send(socket, pcm[: len(pcm) // 2])
            if begun is not None:
                await begun.wait()
            await _send(socket, pcm[len(pcm) // 2 :])
            await socket.send("end")
            while True:
                events.append(json.loads(await socket.recv()))
        except ConnectionClosed:
            return events


async def _send(socket: ClientConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 16_000):
        await socket.send(pcm[start : start + 16_000])


def result(events: list[Event]) -> dict[str, Any]:
    assert events[-1]["type"] == "final_result"
    report: dict[str, Any] = events[-1]["result"]
    return report


def correct(report: dict[str, Any]) -> float:
    statuses = [str(word["status"]) for word in report["word_analysis"]]
    return statuses.count("correct") / len(statuses)


async def leases(running: System) -> dict[str, int]:
    """Sessions of each pool, as the router counts them."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{running.plan.ports.routers[0]}/v1/capacity")
    return {pool["pool"]: pool["active"] for pool in answer.json()["pools"]}


async def test_two_models_at_once_and_the_accurate_one_judges_until_it_is_gone() -> None:
    async with system(pools=POOLS, env=PATIENT) as running:
        url = running.ws_urls[0] + PATH
        begun = asyncio.Barrier(3)
        fast = asyncio.create_task(recited(url, begun))
        accurate = asyncio.create_task(recited(f"{url}&model=rattil-base", begun))
        await begun.wait()
        counted = await leases(running)
        events = {"fast": await fast, "accurate": await accurate}
        assert counted == {"accurate": 1, "fast": 1}
        assert events["fast"][0]["model"] == "rattil-tiny"
        assert events["accurate"][0]["model"] == "rattil-base"
        for heard in events.values():
            final = result(heard)
            assert final["model"].startswith("rattil-base@")
            assert correct(final) >= 0.9

        async with httpx.AsyncClient(timeout=120) as http:
            for model, judge in (("", "rattil-base@"), ("&model=fast", "rattil-tiny@")):
                answer = await http.post(
                    f"{running.plan.gateway_urls[0]}/verify?surah=1&ayah=1&to=7{model}",
                    files={"audio": ("fatiha.opus", SAMPLE.path.read_bytes(), "audio/ogg")},
                )
                assert answer.status_code == 200
                assert answer.json()["model"].startswith(judge)

        unknown = await recited(f"{url}&model=whisper-1")
        assert [event["code"] for event in unknown if event["type"] == "error"] == ["unknown_model"]

        running.child("worker-accurate-1").kill()
        await running.child("worker-accurate-1").died()
        final = result(await recited(url))
        assert final["model"].startswith("rattil-tiny@")
        assert running.crashed() == ["worker-accurate-1"]
