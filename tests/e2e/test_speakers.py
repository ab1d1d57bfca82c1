"""Two people in one channel are told apart by real models, whichever way the recording comes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.audio.decode import decode_file
from tests.e2e.system import system
from tests.e2e.talk import ROOT, SLOW_MODEL
from tests.e2e.test_enhance_on_end import keeping, session, until

DIALOGUE = ROOT / "tests" / "samples" / "dialogue.opus"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def turns(parts: Iterable[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """What each speaker says until another one does."""
    return [
        (speaker, " ".join(text for _, text in said))
        for speaker, said in itertools.groupby(parts, key=lambda part: part[0])
    ]


def check(said: list[tuple[Any, str]], him: Any, her: Any) -> None:
    """Four turns, each with its own words."""
    assert [speaker for speaker, _ in said] == [him, her, him, her], said
    for (_, text), word in zip(said, ("report", "expensive", "engineers", "buses"), strict=True):
        assert word in text.lower(), said


async def test_two_people_are_told_apart(tmp_path: Path) -> None:
    env = SLOW_MODEL | keeping(tmp_path) | {"SPEAKER_MODEL": "bundled"}
    async with system(workers=1, env=env) as running:
        asked = "/v1/audio/transcriptions/stream?language=en&enhance_on_end=true&diarize=true"
        end = (await session(running.ws_urls[0] + asked, decode_file(DIALOGUE)))[-1]
        async with httpx.AsyncClient(base_url=running.plan.gateway_urls[0], timeout=120) as http:
            job = await until(http, end["enhancement_job_id"], ["done", "failed"])
            listened = await http.post(
                "/v1/listen?diarize=true&language=en",
                content=DIALOGUE.read_bytes(),
                headers={"content-type": "audio/ogg"},
            )
            transcribed = await http.post(
                "/v1/audio/transcriptions",
                files={"file": ("dialogue.opus", DIALOGUE.read_bytes())},
                data={"model": "gpt-4o-transcribe-diarize", "response_format": "diarized_json"},
            )
    assert job["error"] is None
    check(turns((one["speaker"], one["text"]) for one in job["transcript"]["segments"]), 0, 1)
    (channel,) = listened.json()["results"]["channels"]
    words = channel["alternatives"][0]["words"]
    check(turns((one["speaker"], one["word"]) for one in words), 0, 1)
    check(turns((one["speaker"], one["text"]) for one in transcribed.json()["segments"]), "A", "B")
