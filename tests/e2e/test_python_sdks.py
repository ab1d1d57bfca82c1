"""WhisperLive's own clients and LiveKit's plugins, with a general model and a reciter's."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rapidfuzz.distance import Levenshtein

from shared.audio.decode import decode_file
from tests import sdk_python
from tests.e2e.system import system
from tests.e2e.talk import MOST_WRONG, SAMPLE, changed, examples, write_wav, wrong_words
from tests.e2e.test_javascript_sdks import ENV, POOLS, RECITED, posted, words
from tests.e2e.test_stream_clients import free_port

WHOLE = ("openaiRecognize", "deepgramRecognize")
"""The file is transcribed as `POST` does it."""
TURNS = {"start_of_speech", "final_transcript", "end_of_speech"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]
Heard = dict[str, Any]


async def by_plugins(gateway: str, recording: Path, *asked: str) -> Heard:
    """`asked`: language, model for OpenAI, for Deepgram, and perhaps one for OpenAI that knows no turns."""
    script = sdk_python.SDKS / "livekit_stt.py"
    heard: Heard = json.loads(
        await sdk_python.run(script, gateway, str(recording), *asked, cwd=recording.parent)
    )
    return heard


async def by_whisperlive(way: str, port: int, recording: Path, language: str, model: str) -> Heard:
    script = sdk_python.SDKS / "whisperlive_clients.py"
    asked = (way, str(port), str(recording), language, model)
    printed = await sdk_python.run(script, *asked, cwd=recording.parent)
    heard: Heard = json.loads(printed.splitlines()[-1])
    return heard


async def documented(page: str, talk: Path, changes: dict[str, str]) -> str:
    """What the last example of a clients' page prints."""
    script = talk.with_name(f"{page}_example.py")
    script.write_text(changed(examples(page)[-1], changes), encoding="utf-8")
    return await sdk_python.run(script, str(talk), cwd=talk.parent)


def check_plugins(heard: Heard, post: str) -> None:
    texts = {way: words(told["text"]) for way, told in heard.items()}
    assert {way: texts[way] for way in WHOLE} == dict.fromkeys(WHOLE, words(post))
    for way, text in texts.items():
        assert Levenshtein.distance(text, words(post)) <= MOST_WRONG, (way, text, post)
    deepgram = heard["deepgramStream"]
    assert set(deepgram["types"]) >= TURNS
    assert len(deepgram["times"]) >= len(texts["deepgramStream"]) > 0
    assert deepgram["times"] == sorted(deepgram["times"])


def check_streamed(heard: Heard, post: str) -> None:
    assert (heard["started"], heard["closed"]) == (["ready"], ["closed"])
    # websocket-client tells a normal close as an error, and this client hands it on.
    assert [error for error in heard["errors"] if "closed normally (code 1000)" not in error] == []
    assert words(" ".join(heard["committed"])) == words(heard["transcript"])
    assert Levenshtein.distance(words(heard["transcript"]), words(post)) <= MOST_WRONG, (heard, post)


def check_played(heard: Heard, post: str) -> None:
    """The last words, too: no silence follows them, and the client sends the end when it reads no more."""
    spoken = " ".join(re.findall(r"-->.*\n(.+)", heard["srt"]))
    assert words(spoken) == words(heard["transcript"])
    assert Levenshtein.distance(words(spoken), words(post)) <= MOST_WRONG, (heard, post)
    assert words(spoken)[-1:] == words(post)[-1:], (heard, post)


async def test_clients_of_others_give_what_a_post_gives(tmp_path: Path) -> None:
    await asyncio.to_thread(sdk_python.packages)
    talk = write_wav(decode_file(SAMPLE), tmp_path / "talk.wav")
    recital = write_wav(decode_file(RECITED), tmp_path / "recital.wav")
    port = free_port()
    async with system(pools=POOLS, env=ENV | {"WHISPERLIVE_PORT": str(port)}) as running:
        gateway = running.plan.gateway_urls[0]
        async with asyncio.TaskGroup() as both:  # each has a worker of its own
            both.create_task(check_a_talk(gateway, port, talk))
            both.create_task(check_a_recitation(gateway, port, recital))


async def check_a_talk(gateway: str, port: int, talk: Path) -> None:
    post = await posted(gateway, talk, "en", "whisper-1")
    assert wrong_words(post) <= MOST_WRONG
    check_plugins(await by_plugins(gateway, talk, "en", "whisper-1", "nova-3", "gpt-realtime-whisper"), post)
    check_streamed(await by_whisperlive("streamed", port, talk, "en", "small"), post)
    address = {"127.0.0.1:8000": gateway.removeprefix("http://")}
    for page, changes in (
        ("openai", address),
        ("deepgram", address),
        ("whisperlive", {"9090": str(port)}),
    ):
        printed = await documented(page, talk, changes)
        said = re.findall(r"^[0-9.]+ (.+)", printed, re.MULTILINE) if page == "whisperlive" else [printed]
        assert wrong_words(" ".join(said)) <= MOST_WRONG, (page, printed)


async def check_a_recitation(gateway: str, port: int, recital: Path) -> None:
    post = await posted(gateway, recital, "ar", "recite")
    assert len(words(post)) >= 13
    check_plugins(await by_plugins(gateway, recital, "ar", "recite", "recite"), post)
    check_streamed(await by_whisperlive("streamed", port, recital, "ar", "recite"), post)
    check_played(await by_whisperlive("played", port, recital, "ar", "recite"), post)
