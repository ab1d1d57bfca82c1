"""OpenAI's own Python client against real services and Whisper base: every format, streams, errors."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from tests.e2e.system import System, system
from tests.e2e.talk import MOST_WRONG, SAMPLE, SLOW_MODEL, wrong_words

ROOT = Path(__file__).parents[2]
ENV = SLOW_MODEL | {"ASR_JOB_TIMEOUT_S": "120", "TRANSCRIBE_TIMEOUT_S": "120", "SSE_KEEPALIVE_S": "0.2"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


async def test_the_openai_client_transcribes_a_recording(tmp_path: Path) -> None:
    async with system(env=ENV) as running:
        async with client_of(running) as client:
            await _plain_formats(client)
            await _verbose(client)
            await _stream(client)
            await _errors(client)
        printed = await _documented_client(running, tmp_path)
    subtitles, _, told = printed.partition("\n\n\n")
    assert wrong_words(" ".join(_spoken(subtitles))) <= MOST_WRONG
    assert wrong_words(told) <= MOST_WRONG


def client_of(running: System) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{running.plan.gateway_urls[0]}/v1", api_key="none", max_retries=0)


async def _plain_formats(client: AsyncOpenAI) -> None:
    create = client.audio.transcriptions.create
    plain = await create(model="whisper-1", file=SAMPLE)
    assert wrong_words(plain.text) <= MOST_WRONG
    assert plain.usage is not None
    text = await create(model="gpt-4o-transcribe", file=SAMPLE, response_format="text", language="en")
    assert wrong_words(text) <= MOST_WRONG
    srt = await create(model="whisper-1", file=SAMPLE, response_format="srt")
    assert wrong_words(" ".join(_spoken(srt))) <= MOST_WRONG
    assert len(_spoken(srt)) >= 3
    vtt = await create(model="whisper-1", file=SAMPLE, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:0")
    models = [model.id async for model in client.models.list()]
    assert {"whisper-1", "gpt-4o-transcribe"} <= set(models)
    assert (await client.models.retrieve("whisper-1")).id == "whisper-1"


def _spoken(srt: str) -> list[str]:
    """The texts of a SubRip file."""
    return re.findall(r"-->.*\n(.+)", srt)


async def _verbose(client: AsyncOpenAI) -> None:
    verbose: Any = await client.audio.transcriptions.create(
        model="whisper-1",
        file=SAMPLE,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert verbose.language == "english"
    times = [(word.start, word.end) for word in verbose.words]
    assert all(0 <= start <= end <= float(verbose.duration) for start, end in times)
    assert times == sorted(times)
    assert wrong_words(" ".join(word.word for word in verbose.words)) <= MOST_WRONG
    assert wrong_words(" ".join(segment.text for segment in verbose.segments)) <= MOST_WRONG
    assert [segment.id for segment in verbose.segments] == list(range(len(verbose.segments)))


async def _stream(client: AsyncOpenAI) -> None:
    stream = await client.audio.transcriptions.create(
        model="gpt-4o-mini-transcribe", file=SAMPLE, stream=True
    )
    events: list[Any] = [event async for event in stream]
    *deltas, done = events
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert "".join(event.delta for event in deltas) == done.text
    assert done.type == "transcript.text.done"
    assert wrong_words(done.text) <= MOST_WRONG


async def _errors(client: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError) as unknown:
        await client.audio.transcriptions.create(model="gpt-9", file=SAMPLE)
    assert (unknown.value.param, unknown.value.code) == ("model", "model_not_found")
    with pytest.raises(BadRequestError) as no_sound:
        await client.audio.transcriptions.create(model="whisper-1", file=("talk.mp3", b"no sound" * 100))
    assert no_sound.value.code == "bad_audio"


async def _documented_client(running: System, folder: Path) -> str:
    """What the first example of the clients' page prints."""
    page = (ROOT / "docs" / "clients" / "openai.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    script = folder / "client.py"
    script.write_text(
        example.replace("http://127.0.0.1:8000", running.plan.gateway_urls[0]), encoding="utf-8"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(SAMPLE), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()
