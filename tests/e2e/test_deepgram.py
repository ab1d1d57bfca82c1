"""Deepgram's own SDK, as its users have it, against real services and Whisper base."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import (
    ListenV1Metadata,
    ListenV1Results,
    ListenV1SpeechStarted,
    ListenV1UtteranceEnd,
)
from deepgram.types.listen_v1response import ListenV1Response

from shared.audio.decode import decode_file
from shared.audio.pcm import samples_of
from tests.e2e.system import system
from tests.e2e.talk import MOST_WRONG, SAMPLE, SLOW_MODEL, documented_client, wrong_words
from tests.unit.audio.recordings import wav_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(500),
    # The SDK looks for names of websockets' older API first.
    pytest.mark.filterwarnings("ignore:websockets.*deprecated:DeprecationWarning"),
]
KEY = "k1"
PCM: dict[str, Any] = {"model": "nova-3", "language": "en-US", "encoding": "linear16", "sample_rate": 16_000}


def sdk(url: str, key: str = KEY, http: httpx.AsyncClient | None = None) -> AsyncDeepgramClient:
    host = url.removeprefix("ws://")
    here = DeepgramClientEnvironment(
        base=f"http://{host}", production=url, agent=url, agent_rest=f"http://{host}"
    )
    return AsyncDeepgramClient(api_key=key, environment=here, httpx_client=http)


def call(pcm: bytes) -> bytes:
    """A WAV file with two channels: the whole talk, and its first two and a half seconds."""
    talk = samples_of(pcm)
    other = np.where(np.arange(talk.size) < 40_000, talk, 0)
    return wav_file(np.stack([talk, other], axis=1).astype("<i2").tobytes(), 16_000, 2)


def final_text(messages: list[Any]) -> str:
    finals = [one for one in messages if isinstance(one, ListenV1Results) and one.is_final]
    return " ".join(one.channel.alternatives[0].transcript for one in finals)


async def listen(client: AsyncDeepgramClient, audio: bytes, pause_s: float = 0.0, **asked: Any) -> list[Any]:
    """Everything the SDK understood of one stream, sent half a second at a time with this pause."""
    async with client.listen.v1.connect(**asked) as connection:
        for start in range(0, len(audio), 16_000):
            await connection.send_media(audio[start : start + 16_000])
            await asyncio.sleep(pause_s)
        await connection.send_close_stream()
        return [message async for message in connection]


async def finalized(client: AsyncDeepgramClient, audio: bytes) -> tuple[list[Any], list[Any]]:
    """What came up to the answer to a `Finalize` in the middle, and what came afterwards."""
    before: list[Any] = []
    async with client.listen.v1.connect(**PCM) as connection:
        await connection.send_media(audio[: len(audio) // 2])
        await connection.send_finalize()
        while not (before and before[-1].from_finalize):
            before.append(await connection.recv())
            assert isinstance(before[-1], ListenV1Results)
        await connection.send_keep_alive()
        await connection.send_media(audio[len(audio) // 2 :])
        await connection.send_close_stream()
        return before, [message async for message in connection]


async def test_deepgram_s_sdk_is_served(tmp_path: Path) -> None:
    pcm = decode_file(SAMPLE)
    async with system(
        env=SLOW_MODEL | {"API_KEYS": f"school={KEY}", "TRANSCRIPT_INTERIM_SECONDS": "1"}
    ) as running:
        url = running.ws_urls[0]
        client = sdk(url)
        # One after the other: a busy machine has room for few at once.
        live = await listen(
            client,
            pcm + bytes(48_000),
            pause_s=0.5,  # as fast as somebody speaks: sent at once, utterances end before a first look
            **PCM,
            interim_results=True,
            vad_events=True,
            utterance_end_ms=1000,
            smart_format=True,
            keyterm=["quick brown fox", "lazy dog"],
        )
        contained = await listen(client, SAMPLE.read_bytes(), model="nova-3")
        before, after = await finalized(client, pcm)
        async with httpx.AsyncClient(timeout=120) as http:
            recorded = await sdk(url, http=http).listen.v1.media.transcribe_file(
                request=SAMPLE.read_bytes(), model="nova-3", utterances=True
            )
            apart = await sdk(url, http=http).listen.v1.media.transcribe_file(
                request=call(pcm), model="nova-3", multichannel=True
            )
        changes = {"127.0.0.1:8000": url.removeprefix("ws://"), 'api_key="any"': f'api_key="{KEY}"'}
        printed = await documented_client("deepgram", pcm, tmp_path, changes)
        for wrong, asked, status in ((KEY, PCM | {"diarize": True}, 400), ("other", PCM, 401)):
            with pytest.raises(ApiError) as refused:
                await listen(sdk(url, wrong), b"", **asked)
            assert refused.value.status_code == status

    assert {type(message) for message in live} == {
        ListenV1Results,
        ListenV1SpeechStarted,
        ListenV1UtteranceEnd,
        ListenV1Metadata,
    }
    assert isinstance(recorded, ListenV1Response)
    (channel,) = recorded.results.channels
    assert channel.alternatives
    assert wrong_words(channel.alternatives[0].transcript or "") <= MOST_WRONG
    assert recorded.results.utterances
    assert isinstance(apart, ListenV1Response)
    whole, other = ((one.alternatives or [])[0].transcript or "" for one in apart.results.channels)
    assert whole == channel.alternatives[0].transcript
    assert 0 < len(other.split()) < len(whole.split()) / 2
    assert any(isinstance(one, ListenV1Results) and not one.is_final for one in live)
    assert any(isinstance(one, ListenV1Results) and one.speech_final for one in live)
    for messages in (live, contained, before + after):
        assert wrong_words(final_text(messages)) <= MOST_WRONG
        assert isinstance(messages[-1], ListenV1Metadata)
        assert messages[-1].duration == pytest.approx(len(pcm) / 32_000, abs=1.6)
    assert [bool(one.from_finalize) for one in after if isinstance(one, ListenV1Results)].count(True) == 0
    assert (
        wrong_words(" ".join(re.sub(r"^ *[0-9.]+ ", "", line) for line in printed.splitlines())) <= MOST_WRONG
    )
