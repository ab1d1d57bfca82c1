"""`/ws/stream` through real services and the bundled model: clean, with mistakes, over a killed gateway."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cli.sample_files import samples_folder
from shared.audio.decode import decode_file
from shared.ids import SessionId, short_id
from tests.e2e.system import System, system
from tests.e2e.talk import documented_client

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "rattil-tiny" / "model.bin"
PATH = "/ws/stream?surah=1&ayah=1&to=7"
MISTAKES = {11: "missing", 25: "wrong"}
"""Of the sample, by the index of the word."""
PIECE = 16_000
PATIENT = {
    # A busy machine takes all the same, and gives nothing up meanwhile.
    "ASR_CAPACITY": "fixed",
    "SEGMENT_TIMEOUT_S": "120",
    "SEGMENT_DEADLINE_S": "120",
    "VERIFY_TIMEOUT_S": "120",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not MODEL.exists(), reason="the bundled model is not in models/"),
]
Event = dict[str, Any]


def sample(name: str) -> bytes:
    return decode_file(samples_folder() / f"{name}.opus")


async def send(socket: ClientConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), PIECE):
        piece = base64.b64encode(pcm[start : start + PIECE]).decode()
        await socket.send(json.dumps({"type": "audio", "data": {"audio": piece}, "timestamp": start}))


async def receive(socket: ClientConnection, events: list[Event], kind: str) -> Event:
    """Everything up to the next message of this kind."""
    while True:
        event: Event = json.loads(await socket.recv())
        events.append(event)
        if event["type"] == kind:
            return event


async def rest(socket: ClientConnection, events: list[Event]) -> None:
    try:
        while True:
            events.append(json.loads(await socket.recv()))
    except ConnectionClosed:
        return


def of(events: list[Event], kind: str) -> list[Event]:
    return [event["data"] for event in events if event["type"] == kind]


def mistakes(events: list[Event]) -> list[tuple[int, str]]:
    told = [data["violation"] for data in of(events, "violation")]
    return [(word["index"], word["status"]) for word in told]


async def test_a_recitation_is_judged_live_and_a_killed_gateway_loses_nothing(tmp_path: Path) -> None:
    wrong = sample("fatiha_mistakes")
    changes = {"surah=1&ayah=1&to=7": "surah=112&ayah=1&to=4"}
    async with system(gateways=2, env=PATIENT) as running:
        changes |= {"ws://127.0.0.1:8000": running.ws_urls[1]}
        printed, whole, resumed = await asyncio.gather(
            documented_client("stream", sample("ikhlas_clean"), tmp_path, changes),
            _with_mistakes(running, wrong),
            _with_a_kill(running, wrong),
        )
    assert "violation" not in printed
    assert printed.splitlines()[-1] == "score: 100.0"
    assert mistakes(whole) == list(MISTAKES.items())
    assert {phoneme["phoneme"] for data in of(whole, "result") for phoneme in data["phonemes"]} >= {"b", "m"}
    report = of(whole, "score")[0]["report"]
    judged = {
        word["index"]: word["status"] for word in report["word_analysis"] if word["status"] != "correct"
    }
    assert judged == MISTAKES
    seqs = [data["seq"] for data in of(resumed, "result")]
    assert seqs == list(range(len(seqs)))
    assert mistakes(resumed) == list(MISTAKES.items())
    assert {data["code"] for data in of(resumed, "error")} <= {"server_busy", "audio_too_fast"}
    assert of(resumed, "score")[0]["report"]["counts"] == report["counts"]


async def _with_mistakes(running: System, pcm: bytes) -> list[Event]:
    """The first mistake is told before the end is said; the router knows the session meanwhile."""
    events: list[Event] = []
    async with connect(running.ws_urls[1] + PATH, max_size=None) as socket:
        assert socket.response is not None
        assert socket.response.headers["X-Protocol-Version"] == "1.0"
        ready = await receive(socket, events, "ready")
        await send(socket, pcm)
        await receive(socket, events, "violation")
        async with httpx.AsyncClient() as http:
            listed = await http.get(f"http://127.0.0.1:{running.plan.ports.routers[0]}/v1/sessions")
        live = {one["session"] for one in listed.json()["sessions"]}
        assert short_id(SessionId(ready["data"]["session_id"])) in live
        await socket.send('{"type":"end"}')
        await rest(socket, events)
    return events


async def _with_a_kill(running: System, pcm: bytes) -> list[Event]:
    """Two thirds of the audio, a kill -9 of the gateway, the rest at the other one."""
    events: list[Event] = []
    async with connect(running.ws_urls[0] + PATH, max_size=None) as socket:
        ready = await receive(socket, events, "ready")
        await send(socket, pcm[: len(pcm) * 2 // 6 * 2])
        await receive(socket, events, "violation")
        await running.kill("gateway-1")
        await rest(socket, events)
    seen = max(data["seq"] for data in of(events, "result"))
    acked = max(data["offset"] for data in of(events, "ack"))
    query = f"&session_id={ready['data']['session_id']}&last_seq={seen}&offset={acked}"
    async with connect(running.ws_urls[1] + PATH + query, max_size=None) as socket:
        again = await receive(socket, events, "ready")
        assert again["data"]["resumed"]
        await send(socket, pcm[2 * again["data"]["offset"] :])
        await socket.send('{"type":"end"}')
        await rest(socket, events)
    return events
