"""General speech through real services: Silero finds it, Whisper base writes it, a kill loses nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shared.audio.decode import decode_file
from tests.e2e.system import system
from tests.e2e.talk import MOST_WRONG, SAMPLE, SLOW_MODEL, documented_client, wrong_words

PATH = "/v1/audio/transcriptions/stream?language=en"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Event = dict[str, Any]


async def send(socket: ClientConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 16_000):
        await socket.send(pcm[start : start + 16_000])


async def rest(socket: ClientConnection) -> list[Event]:
    events: list[Event] = []
    try:
        while True:
            events.append(json.loads(await socket.recv()))
    except ConnectionClosed:
        return events


def of(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["type"] == kind]


async def test_speech_is_written_live_and_a_killed_gateway_loses_nothing(tmp_path: Path) -> None:
    pcm = decode_file(SAMPLE)
    async with system(gateways=2, env=SLOW_MODEL) as running:
        undisturbed, resumed = await asyncio.gather(
            _undisturbed(running.ws_urls[1] + PATH, pcm), _with_a_kill(running, pcm)
        )
        printed = await documented_client(
            "transcriptions", pcm, tmp_path, {"ws://127.0.0.1:8000": running.ws_urls[1]}
        )
    assert wrong_words(" ".join(line[9:] for line in printed.splitlines())) <= MOST_WRONG
    assert wrong_words(undisturbed[-1]["transcript"]) <= MOST_WRONG
    assert len(of(undisturbed, "transcript.final")) >= 2
    assert [event["type"] for event in undisturbed if event["type"].startswith("vad.")][:2] == [
        "vad.speech_start",
        "vad.speech_end",
    ]
    assert wrong_words(resumed[-1]["transcript"]) <= MOST_WRONG
    seqs = [event["seq"] for event in resumed if "seq" in event]
    assert len(seqs) == len(set(seqs))
    assert not of(resumed, "error")


async def _undisturbed(url: str, pcm: bytes) -> list[Event]:
    async with connect(url) as socket:
        await send(socket, pcm)
        await socket.send("end")
        return await rest(socket)


async def _with_a_kill(running: Any, pcm: bytes) -> list[Event]:
    """Half of the audio, a kill -9 of the gateway, the rest at the other one."""
    events: list[Event] = []
    async with connect(running.ws_urls[0] + PATH) as socket:
        begun = json.loads(await socket.recv())
        await send(socket, pcm[: len(pcm) // 2])
        while not (of(events, "ack") and any("seq" in event for event in events)):
            events.append(json.loads(await socket.recv()))
        await running.kill("gateway-1")
        events += await rest(socket)
    acked = max(event["offset"] for event in of(events, "ack"))
    seen = max(event["seq"] for event in events if "seq" in event)
    back = f"{running.ws_urls[1]}{PATH}&session_id={begun['session_id']}&last_seq={seen}&offset={acked}"
    async with connect(back) as socket:
        again = json.loads(await socket.recv())
        assert again["resumed"] is True
        assert acked <= again["offset"] <= len(pcm) // 4
        await send(socket, pcm[2 * again["offset"] :])
        await socket.send("end")
        return [*events, *await rest(socket)]
