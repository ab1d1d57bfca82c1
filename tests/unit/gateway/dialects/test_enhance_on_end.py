"""`enhance_on_end`: the whole session's audio is kept at its end, its job is told, polled and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from asr_worker.offline.enhance import Enhancer
from gateway.enhancement.enhancements import Enhancements, Limits
from gateway.metrics import GatewayMetrics
from shared.clock import SystemClock
from shared.enhancement.records import EnhanceJob, from_wav
from shared.enhancement.store import ObjectStore, open_store
from shared.hearing import HeardWord
from shared.ids import PoolName
from shared.protocol.segments import TaskOptions
from shared.transcription.recording import Stretch
from tests.unit.gateway.dialects.test_transcriptions import PCM, transcribe
from tests.unit.gateway.harness import Gateway, world

PATH = "/v1/audio/transcriptions/"


class ListedJobs:
    """An `EnhanceQueue` that only lists what it was given."""

    def __init__(self) -> None:
        self.added: list[EnhanceJob] = []

    async def add(self, job: EnhanceJob, pool: PoolName) -> None:
        self.added.append(job)

    async def running(self, job_id: str) -> bool:
        return False

    async def forget(self, job_id: str) -> None:
        self.added = [job for job in self.added if job.job_id != job_id]

    async def close(self) -> None:
        return None


def enhancements(store: ObjectStore, queue: ListedJobs, max_bytes: int = 10_000_000) -> Enhancements:
    metrics = GatewayMetrics(CollectorRegistry())
    return Enhancements(store, queue, Limits(3600.0, max_bytes), SystemClock(), metrics)


async def ask(gateway: Gateway, method: str, job_id: str) -> tuple[int, Any]:
    transport = httpx.ASGITransport(app=gateway.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.request(method, PATH + job_id)
    return answer.status_code, answer.json() if answer.content else None


async def test_a_session_is_kept_whole_and_transcribed_once_more(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/kept"
    store, queue, heard = open_store(url), ListedJobs(), list[tuple[bytes, TaskOptions]]()

    async def hear(pcm16: bytes, options: TaskOptions) -> list[Stretch]:
        heard.append((pcm16, options))
        return [Stretch(0, 900, "one word", (HeardWord("one", 0, 400), HeardWord("word", 500, 900)), "ar")]

    async with world() as w:
        gateway = w.gateway(recordings_url=url, enhancements=enhancements(store, queue))
        events = await transcribe(gateway.transcribe(language="ar", enhance_on_end="true"))
        job_id = events[-1]["enhancement_job_id"]
        assert events[-1]["type"] == "session.end"
        status, job = await ask(gateway, "GET", job_id)
        assert (status, job["status"], job["transcript"]) == (200, "queued", None)
        kept = await store.get(f"{job_id}/audio.wav")
        assert kept is not None
        assert from_wav(kept) == PCM
        [handed_over] = queue.added
        await Enhancer(store, hear, "accurate@1", SystemClock()).enhance(handed_over, 60.0)
        assert heard == [(PCM, TaskOptions("ar", True, None))]
        assert await store.get(f"{job_id}/audio.wav") is None
        status, job = await ask(gateway, "GET", job_id)
        assert job["status"] == "done"
        assert job["transcript"]["text"] == "one word"
        assert [word["end"] for word in job["transcript"]["segments"][0]["words"]] == [0.4, 0.9]
        assert (await ask(gateway, "DELETE", job_id))[0] == 204
        status, refused = await ask(gateway, "GET", job_id)
        assert (status, refused["error"]["code"]) == (404, "unknown_job")


async def test_a_job_deleted_while_it_is_transcribed_leaves_nothing(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/kept"
    store, queue = open_store(url), ListedJobs()
    kept = enhancements(store, queue)

    async def hear(pcm16: bytes, options: TaskOptions) -> list[Stretch]:
        await kept.forget(handed_over.job_id, "")
        return []

    async with world() as w:
        gateway = w.gateway(recordings_url=url, enhancements=kept)
        await transcribe(gateway.transcribe(language="ar", enhance_on_end="true"))
    [handed_over] = queue.added
    await Enhancer(store, hear, "accurate@1", SystemClock()).enhance(handed_over, 60.0)
    assert not [one.path async for one in store.list() if one.path.startswith("enh_")]


async def test_a_recording_that_cannot_be_kept_is_reported(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/kept"
    store, queue = open_store(url), ListedJobs()
    async with world() as w:
        gateway = w.gateway(recordings_url=url, enhancements=enhancements(store, queue, 1000))
        client = gateway.transcribe(language="ar", enhance_on_end="true")
        events = await transcribe(client)
    assert "enhancement_job_id" not in events[-1]
    assert [event["code"] for event in client.of("warning")] == ["enhancement_dropped"]
    assert queue.added == []


async def test_nothing_is_kept_unless_both_sides_want_it(tmp_path: Path) -> None:
    store, queue = open_store(f"file://{tmp_path}/kept"), ListedJobs()
    async with world() as w:
        gateway = w.gateway(recordings_url=f"file://{tmp_path}/kept", enhancements=enhancements(store, queue))
        await transcribe(gateway.transcribe(language="ar"))
        refused = w.gateway().transcribe(language="ar", enhance_on_end="true")
        ending = await refused.rest()
    assert ending.code == 1008
    assert refused.events[-1]["code"] == "bad_request"
    assert [one.path async for one in store.list()] == []
