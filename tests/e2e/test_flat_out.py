"""A client that sends as fast as it can, into a service that lets it: nothing is lost, and little is said."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import websockets

from cli.sample_files import samples_folder
from shared.audio.decode import decode_file
from tests.e2e.system import system

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
FRAME_BYTES = 6400


async def test_that_decoding_is_behind_is_said_once_while_it_is() -> None:
    pcm = decode_file(samples_folder() / "fatiha_clean.opus") * 8
    events: list[dict[str, Any]] = []
    async with system(env={"WS_MAX_AUDIO_RATE": "2000"}) as running:
        url = f"{running.ws_urls[0]}/ws/recite?surah=1&ayah=1&ayah_end=7&window=1.0"
        async with websockets.connect(url, ping_interval=None) as socket:

            async def read() -> None:
                async for message in socket:
                    events.append(json.loads(message))

            reading = asyncio.create_task(read())
            for start in range(0, len(pcm), FRAME_BYTES):
                await socket.send(pcm[start : start + FRAME_BYTES])
            await socket.send('{"type":"end"}')
            await reading
    said = [event["code"] for event in events if event["type"] == "error"]
    acked = [event["offset"] for event in events if event["type"] == "ack"]
    assert said == ["server_busy"]
    assert acked[-1] == len(pcm) // 2
    assert events[-1]["type"] == "final_result"
