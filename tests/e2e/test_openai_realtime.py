"""The openai client against real services and Whisper base: live, by turns of speech and by commit."""

from __future__ import annotations

import asyncio
import base64
import re
import sys
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import samples_of
from tests.e2e.system import System, system
from tests.e2e.talk import MOST_WRONG, ROOT, SAMPLE, SLOW_MODEL, wrong_words

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Event = Any
TRANSCRIPTION = "conversation.item.input_audio_transcription"
AUDIO: NDArray[np.int16] = samples_of(decode_file(SAMPLE))
PAUSE = np.zeros(2 * SAMPLE_RATE, np.int16)


async def test_the_openai_client_transcribes_live(tmp_path: Path) -> None:
    async with system(env=SLOW_MODEL) as running:
        client = AsyncOpenAI(base_url=f"{running.plan.gateway_urls[0]}/v1", api_key="none", max_retries=0)
        async with client:
            by_turns, by_commits = await asyncio.gather(_by_turns(client), _by_commits(client))
            await _error(client)
        printed = await _documented_client(running, tmp_path, 1, 24_000)
        plain = await _documented_client(running, tmp_path, 2, 16_000)
    assert wrong_words(printed) <= MOST_WRONG
    assert plain.startswith("mic: ")
    assert wrong_words(plain.removeprefix("mic: ")) <= MOST_WRONG
    assert wrong_words(" ".join(texts(by_turns))) <= MOST_WRONG
    assert len(texts(by_turns)) >= 2
    for item in [event for event in by_turns if event.type == f"{TRANSCRIPTION}.completed"]:
        deltas = [event for event in by_turns if event.type == f"{TRANSCRIPTION}.delta"]
        assert "".join(event.delta for event in deltas if event.item_id == item.item_id) == item.transcript
        assert item.usage.seconds > 0
    assert wrong_words(" ".join(texts(by_commits))) <= MOST_WRONG
    assert len(texts(by_commits)) == 2


def texts(events: list[Event]) -> list[str]:
    return [event.transcript for event in events if event.type == f"{TRANSCRIPTION}.completed"]


def at_24_khz(samples: NDArray[np.int16]) -> bytes:
    """At OpenAI's own rate."""
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    resampler = av.AudioResampler(format="s16", layout="mono", rate=24_000)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    return b"".join(bytes(piece.planes[0])[: 2 * piece.samples] for piece in made)


def connect(client: AsyncOpenAI) -> Any:
    return client.realtime.connect(model="gpt-4o-transcribe", extra_query={"intent": "transcription"})


async def configure(connection: AsyncRealtimeConnection, audio: dict[str, Any]) -> None:
    created = await connection.recv()
    assert created.type == "session.created"
    session: Any = {"type": "transcription", "audio": {"input": audio}}
    await connection.session.update(session=session)
    updated = await connection.recv()
    assert updated.type == "session.updated"
    assert updated.session.type == "transcription"


async def send(connection: AsyncRealtimeConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 9600):
        audio = base64.b64encode(pcm[start : start + 9600]).decode()
        await connection.input_audio_buffer.append(audio=audio)


async def until_completed(connection: AsyncRealtimeConnection, events: list[Event], items: int) -> None:
    """Until so many items are complete."""
    while len(texts(events)) < items:
        event = await connection.recv()
        assert event.type not in ("error", f"{TRANSCRIPTION}.failed"), event
        events.append(event)


async def _by_turns(client: AsyncOpenAI) -> list[Event]:
    """The talk, a long pause, and the talk's end again: every turn that began is waited for."""
    events: list[Event] = []
    async with connect(client) as connection:
        turns = {"type": "server_vad", "silence_duration_ms": 400}
        transcription = {"model": "whisper-1", "language": "en"}
        await configure(connection, {"transcription": transcription, "turn_detection": turns})
        await send(connection, at_24_khz(np.concatenate([AUDIO, PAUSE])))
        while True:
            event = await connection.recv()
            assert event.type not in ("error", f"{TRANSCRIPTION}.failed"), event
            events.append(event)
            if event.type == f"{TRANSCRIPTION}.completed" and _heard_all(events):
                return events


def _heard_all(events: list[Event]) -> bool:
    """Whether the last word was said in a turn that is complete, and no turn is open."""
    begun = [event.item_id for event in events if event.type == "input_audio_buffer.speech_started"]
    ended = [event.item_id for event in events if event.type == f"{TRANSCRIPTION}.completed"]
    stops = [event.audio_end_ms for event in events if event.type == "input_audio_buffer.speech_stopped"]
    return begun == ended and stops[-1] > 9500


async def _by_commits(client: AsyncOpenAI) -> list[Event]:
    """The first sentence and the rest, each committed by the client."""
    events: list[Event] = []
    async with connect(client) as connection:
        transcription = {"model": "whisper-1", "language": "en"}
        await configure(connection, {"transcription": transcription, "turn_detection": None})
        pcm, cut = at_24_khz(AUDIO), int(2.1 * 24_000) * 2
        for part in (pcm[:cut], pcm[cut:]):
            await send(connection, part)
            await connection.input_audio_buffer.commit()
        await until_completed(connection, events, 2)
    return events


async def _error(client: AsyncOpenAI) -> None:
    """A mistake is told, and the connection lives."""
    async with connect(client) as connection:
        assert (await connection.recv()).type == "session.created"
        await connection.input_audio_buffer.commit()
        error = await connection.recv()
        assert error.type == "error"
        assert error.error.code == "input_audio_buffer_commit_empty"
        await connection.input_audio_buffer.clear()
        assert (await connection.recv()).type == "input_audio_buffer.cleared"


async def _documented_client(running: System, folder: Path, place: int, rate: int) -> str:
    """What a live example of the clients' page prints: the one at this place."""
    page = (ROOT / "docs" / "clients" / "openai.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[place]
    script, talk = folder / "live.py", folder / "talk.wav"
    address = running.plan.gateway_urls[0].removeprefix("http://")
    script.write_text(example.replace("127.0.0.1:8000", address), encoding="utf-8")
    with wave.open(str(talk), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(at_24_khz(AUDIO) if rate == 24_000 else AUDIO.tobytes())
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(talk), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()
