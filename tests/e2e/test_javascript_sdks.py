"""OpenAI's and Deepgram's JavaScript SDKs, and our own client, with a general model and a reciter's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from rapidfuzz.distance import Levenshtein

from cli.sample_files import samples_folder
from shared.audio.decode import decode_file
from shared.audio.pcm import samples_of
from shared.pools import parse_pools
from shared.transcription.hypothesis_buffer import folded
from tests import node
from tests.e2e.system import system
from tests.e2e.talk import MOST_WRONG, SAMPLE, SLOW_MODEL, wrong_words
from tests.e2e.test_javascript_client import example
from tests.e2e.test_openai_realtime import at_24_khz

POOLS = parse_pools("general=whisper-base,recite=rattil-base")
ENV = SLOW_MODEL | {
    "TRANSCRIPTION_POOLS": "general,recite",
    "ASR_JOB_TIMEOUT_S": "120",
    "TRANSCRIBE_TIMEOUT_S": "120",
}
RECITED = samples_folder() / "ikhlas_clean.opus"
WHOLE = ("rest", "serverSentEvents", "deepgramRecorded")
"""The file is transcribed as `POST` does it."""
LIVE = ("realtime", "deepgramLive")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


async def heard(gateway: str, recording: Path, folder: Path, *asked: str) -> dict[str, str]:
    """What each way of the SDKs gives; `asked`: language, model for OpenAI, model for Deepgram."""
    pcm = decode_file(recording)
    narrow, wide = folder / "16.pcm", folder / "24.pcm"
    narrow.write_bytes(pcm)
    wide.write_bytes(at_24_khz(samples_of(pcm)))
    printed = await node.node("sdks.mjs", gateway, str(recording), str(narrow), str(wide), *asked)
    texts: dict[str, str] = json.loads(printed)
    return texts


async def posted(gateway: str, recording: Path, language: str, model: str) -> str:
    audio = await asyncio.to_thread(recording.read_bytes)
    async with httpx.AsyncClient(timeout=120) as http:
        answer = await http.post(
            f"{gateway}/v1/audio/transcriptions",
            data={"model": model, "language": language},
            files={"file": (recording.name, audio)},
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["text"])


def words(text: str) -> list[str]:
    return [folded(word) for word in text.split() if any(letter.isalnum() for letter in word)]


async def test_javascript_sdks_give_what_a_post_gives(tmp_path: Path) -> None:
    async with system(pools=POOLS, env=ENV) as running:
        gateway = running.plan.gateway_urls[0]
        talk = await posted(gateway, SAMPLE, "en", "whisper-1")
        spoken = await heard(gateway, SAMPLE, tmp_path, "en", "whisper-1", "nova-3")
        recitation = await posted(gateway, RECITED, "ar", "recite")
        recited = await heard(gateway, RECITED, tmp_path, "ar", "recite", "recite")
        shown = await node.script(
            example("A live transcription", running.ws_urls), tmp_path, str(_raw(tmp_path))
        )
    assert wrong_words(talk) <= MOST_WRONG
    assert len(words(recitation)) >= 13
    for post, texts in ((talk, spoken), (recitation, recited)):
        assert {way: words(texts[way]) for way in WHOLE} == dict.fromkeys(WHOLE, words(post))
        for way in LIVE:
            assert Levenshtein.distance(words(texts[way]), words(post)) <= MOST_WRONG, (way, texts[way], post)
    assert wrong_words(" ".join(line[9:] for line in shown.splitlines())) <= MOST_WRONG


def _raw(folder: Path) -> Path:
    path = folder / "talk.pcm"
    path.write_bytes(decode_file(SAMPLE))
    return path
