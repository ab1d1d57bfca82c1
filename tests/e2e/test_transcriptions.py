"""General speech through real services: Silero finds it, Whisper base writes it, a kill loses nothing."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
from rapidfuzz.distance import Levenshtein
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shared.audio.decode import decode_file
from shared.transcription.hypothesis_buffer import folded
from tests.e2e.system import system

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "samples" / "morning.opus"
SAID = (
    "Good morning everybody. The quick brown fox jumps over the lazy dog. "
    "We are testing a speech recognition service today."
)
MOST_WRONG = 4
"""Words of 20: what Whisper base makes of this synthetic voice in windows that grow."""
PATH = "/v1/audio/transcriptions/stream?language=en"
SLOW_MODEL = {
    "ASR_MODEL": "whisper-base",
    # One look takes seconds on a busy machine: nothing may be given up meanwhile.
    "SEGMENT_TIMEOUT_S": "120",
    "SEGMENT_DEADLINE_S": "120",
    "TRANSCRIPT_INTERIM_SECONDS": "2.5",
    "VERIFY_TIMEOUT_S": "120",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Event = dict[str, Any]


def wrong_words(text: str) -> int:
    said, written = ([folded(word) for word in one.split()] for one in (SAID, text))
    return int(Levenshtein.distance(said, written))


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
        printed = await _documented_client(running.ws_urls[1], pcm, tmp_path)
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


async def _documented_client(url: str, pcm: bytes, folder: Path) -> str:
    """What the example of the clients' page prints."""
    page = (ROOT / "docs" / "clients" / "transcriptions.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    script, talk = folder / "client.py", folder / "talk.wav"
    script.write_text(example.replace("ws://127.0.0.1:8000", url), encoding="utf-8")
    with wave.open(str(talk), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(pcm)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(talk), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


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
