"""A kept session is heard once more by real models; a worker that is killed in the middle loses nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import wave
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.speech import recordings
from shared.audio.decode import decode_file
from tests.e2e.system import System, system
from tests.e2e.talk import MOST_WRONG, SAMPLE, SLOW_MODEL, wrong_words

JOBS = "/v1/audio/transcriptions/"
USAGE_S = 0.2
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Event = dict[str, Any]


def keeping(folder: Path) -> dict[str, str]:
    """A store in this folder, and logs that say which jobs were done."""
    return {
        "RECORDINGS_URL": f"file://{folder}/kept",
        "RECORDINGS_SWEEP_S": "1",
        "LOG_LEVEL": "info",
        "USAGE_FLUSH_S": str(USAGE_S),
    }


async def session(url: str, pcm: bytes) -> list[Event]:
    events: list[Event] = []
    async with connect(url, max_size=None) as socket:
        for start in range(0, len(pcm), 16_000):
            await socket.send(pcm[start : start + 16_000])
        await socket.send('{"type":"end"}')
        with suppress(ConnectionClosed):
            while True:
                events.append(json.loads(await socket.recv()))
    assert socket.close_code == 1000
    return events


async def until(http: httpx.AsyncClient, job_id: str, statuses: Sequence[str]) -> Event:
    async with asyncio.timeout(200):
        while True:
            job: Event = (await http.get(JOBS + job_id)).json()
            if job["status"] in statuses:
                return job
            await asyncio.sleep(0.02)


def files_of(folder: Path, job_id: str) -> set[str]:
    return {path.name for path in (folder / "kept" / job_id).glob("*")}


def times_done(running: System, job_id: str) -> int:
    return sum('"job_done"' in line and job_id in line for line in running.log)


async def used_s(http: httpx.AsyncClient) -> float:
    today = dt.datetime.now(dt.UTC).date()
    answer = await http.get("/v1/usage", params={"from": str(today - dt.timedelta(days=1)), "to": str(today)})
    return float(answer.json()["total"]["audio_seconds"])


async def test_a_job_whose_worker_is_killed_is_done_once_by_the_next_one(tmp_path: Path) -> None:
    pcm = decode_file(SAMPLE)
    async with system(workers=1, env=SLOW_MODEL | keeping(tmp_path), log_lines=20_000) as running:
        url = f"{running.ws_urls[0]}/v1/audio/transcriptions/stream?language=en&enhance_on_end=true"
        end = (await session(url, pcm))[-1]
        job_id = end["enhancement_job_id"]
        async with httpx.AsyncClient(base_url=running.plan.gateway_urls[0]) as http:
            await until(http, job_id, ["running"])
            await running.kill("worker-1")
            assert files_of(tmp_path, job_id) == {"audio.wav", "order.json"}, "it was killed in the middle"
            assert (await http.get(JOBS + job_id)).json()["transcript"] is None
            await running.bring_back("worker-1")
            job = await until(http, job_id, ["done", "failed"])
            assert job["error"] is None
            assert wrong_words(job["transcript"]["text"]) <= MOST_WRONG
            words = [word for segment in job["transcript"]["segments"] for word in segment["words"]]
            assert all(0 <= word["start"] <= word["end"] <= job["duration"] for word in words)
            assert files_of(tmp_path, job_id) == {"order.json", "outcome.json"}
            seconds = len(pcm) / 32_000
            assert await used_s(http) == pytest.approx(2 * seconds, abs=0.01), "the session, and its job once"
            assert (await http.delete(JOBS + job_id)).status_code == 204
            assert files_of(tmp_path, job_id) == set()
            assert (await http.get(JOBS + job_id)).status_code == 404
    # The outcome is there before the line about it: all lines are, once the services have stopped.
    assert times_done(running, job_id) == 1


@pytest.mark.parametrize("address", ["/ws/recite", "/ws/stream"])
async def test_a_recitation_is_judged_as_its_upload_is(tmp_path: Path, address: str) -> None:
    recording = next(one for name, one in recordings().items() if "ikhlas" in name)
    pcm = recording.pcm
    async with system(env=keeping(tmp_path)) as running:
        url = f"{running.ws_urls[0]}{address}?surah=112&ayah=1&to=4&enhance_on_end=true"
        last = (await session(url, pcm))[-1]
        job_id = (last["data"] if address == "/ws/stream" else last)["enhancement_job_id"]
        async with httpx.AsyncClient(base_url=running.plan.gateway_urls[0], timeout=60) as http:
            job = await until(http, job_id, ["done", "failed"])
            upload = {"audio": ("recitation.wav", wav(pcm))}
            sent = (await http.post("/verify?surah=112&ayah=1&to=4", files=upload)).json()
    assert job["transcript"]["text"]
    assert {word["status"] for word in job["report"]["word_analysis"]} == {"correct"}
    for field in ("word_analysis", "transcribed_text", "accuracy_score", "counts", "verse_range", "model"):
        assert job["report"][field] == sent[field], field


def wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(pcm)
    return file.getvalue()
