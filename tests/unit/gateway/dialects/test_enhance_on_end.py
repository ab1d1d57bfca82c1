"""`enhance_on_end`: the whole session's audio is kept at its end, its job is told, polled and deleted."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from asr_worker.offline.enhance import Enhancer
from gateway.enhancement.enhancements import Enhancements, Limits
from gateway.metrics import GatewayMetrics
from gateway.usage.meter import UsageMeter
from gateway.usage.store import Used
from shared.clock import SystemClock
from shared.enhancement.records import EnhanceJob, from_wav
from shared.enhancement.store import ObjectStore, open_store
from shared.hearing import HeardWord
from shared.ids import Epoch, PoolName, SessionId
from shared.protocol.segments import TaskOptions
from shared.recitation.report.report import VerifyReport
from shared.transcription.recording import Stretch
from tests.memory.usage import MemoryUsage
from tests.unit.gateway.dialects.test_transcriptions import PCM, transcribe
from tests.unit.gateway.harness import Gateway, report_on, world

PATH = "/v1/audio/transcriptions/"


class ListedJobs:
    """An `EnhanceQueue` that only lists what it was given."""

    def __init__(self) -> None:
        self.added: list[EnhanceJob] = []
        self.pools: list[PoolName] = []

    async def add(self, job: EnhanceJob, pool: PoolName) -> None:
        self.added.append(job)
        self.pools.append(pool)

    async def running(self, job_id: str) -> bool:
        return False

    async def forget(self, job_id: str) -> None:
        self.added = [job for job in self.added if job.job_id != job_id]

    async def close(self) -> None:
        return None


def enhancements(
    store: ObjectStore, queue: ListedJobs, max_bytes: int = 10_000_000, usage: MemoryUsage | None = None
) -> Enhancements:
    metrics, clock = GatewayMetrics(CollectorRegistry()), SystemClock()
    meter = UsageMeter(usage or MemoryUsage(), clock, metrics)
    return Enhancements(store, queue, Limits(3600.0, max_bytes), clock, metrics, meter)


async def judge(pcm16: bytes, verses: str, language: str) -> VerifyReport:
    return report_on(verses)


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
        await Enhancer(store, hear, judge, "accurate@1", SystemClock()).enhance(handed_over, 60.0)
        assert heard == [(PCM, TaskOptions("ar", True, None))]
        assert await store.get(f"{job_id}/audio.wav") is None
        status, job = await ask(gateway, "GET", job_id)
        assert job["status"] == "done"
        assert (job["transcript"]["text"], job["report"]) == ("one word", None)
        assert [word["end"] for word in job["transcript"]["segments"][0]["words"]] == [0.4, 0.9]
        assert (await ask(gateway, "DELETE", job_id))[0] == 204
        status, refused = await ask(gateway, "GET", job_id)
        assert (status, refused["error"]["code"]) == (404, "unknown_job")


async def test_voices_are_told_apart_in_the_second_transcript(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/kept"
    store, queue, heard = open_store(url), ListedJobs(), list[TaskOptions]()

    async def hear(pcm16: bytes, options: TaskOptions) -> list[Stretch]:
        heard.append(options)
        one = Stretch(0, 400, "one", (HeardWord("one", 0, 400),), "ar", speaker=0)
        return [one, Stretch(500, 900, "word", (HeardWord("word", 500, 900),), "ar", speaker=1)]

    async with world() as w:
        kept = enhancements(store, queue)
        gateway = w.gateway(recordings_url=url, enhancements=kept, speaker_model="bundled")
        asked = gateway.transcribe(language="ar", enhance_on_end="true", diarize="true")
        events = await transcribe(asked)
        [handed_over] = queue.added
        await Enhancer(store, hear, judge, "accurate@1", SystemClock()).enhance(handed_over, 60.0)
        _, job = await ask(gateway, "GET", events[-1]["enhancement_job_id"])
    assert heard == [TaskOptions("ar", True, None, speakers=True)]
    segments = job["transcript"]["segments"]
    assert [(one["text"], one["speaker"]) for one in segments] == [("one", 0), ("word", 1)]


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
    await Enhancer(store, hear, judge, "accurate@1", SystemClock()).enhance(handed_over, 60.0)
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


@pytest.mark.parametrize("dialect", ["recite", "stream"])
async def test_a_recitation_is_judged_once_more_by_the_accurate_model(tmp_path: Path, dialect: str) -> None:
    url = f"file://{tmp_path}/kept"
    store, queue, judged = open_store(url), ListedJobs(), list[tuple[bytes, str, str]]()

    async def hear(pcm16: bytes, options: TaskOptions) -> list[Stretch]:
        return [Stretch(0, 900, "one word", (HeardWord("one", 0, 400), HeardWord("word", 500, 900)), "ar")]

    async def judge_it(pcm16: bytes, verses: str, language: str) -> VerifyReport:
        judged.append((pcm16, verses, language))
        return report_on(verses)

    async with world() as w:
        gateway = w.gateway(
            recordings_url=url,
            enhancements=enhancements(store, queue),
            pools="default=rattil-tiny,accurate=rattil-base",
        )
        connect = gateway.connect if dialect == "recite" else gateway.stream
        client = connect(enhance_on_end="true")
        await client.stream(PCM)
        await client.send('{"type":"end"}')
        assert (await client.rest()).code == 1000
        last = client.events[-1]["data"] if dialect == "stream" else client.events[-1]
        job_id = last["enhancement_job_id"]
        [handed_over] = queue.added
        assert (handed_over.job_id, handed_over.judged, queue.pools) == (job_id, True, ["accurate"])
        await Enhancer(store, hear, judge_it, "accurate@1", SystemClock()).enhance(handed_over, 60.0)
        _, job = await ask(gateway, "GET", job_id)
    assert judged == [(PCM, "1:1-7", "ar")]
    assert job["transcript"]["text"] == "one word"
    assert job["report"] == json.loads(msgspec.json.encode(report_on("1:1-7")))


async def test_a_recitation_that_cannot_be_kept_says_why_at_its_end(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/kept"
    async with world() as w:
        kept = enhancements(open_store(url), ListedJobs(), 1000)
        gateway = w.gateway(recordings_url=url, enhancements=kept)
        client = gateway.connect(enhance_on_end="true")
        await client.stream(PCM)
        await client.send("end")
        await client.rest()
        refused = w.gateway().connect(enhance_on_end="true")
        ending = await refused.rest()
    assert client.events[-1]["type"] == "final_result"
    assert "enhancement_job_id" not in client.events[-1]
    assert "no more recordings can be kept" in client.events[-1]["enhancement_dropped"]
    assert (ending.code, refused.events[-1]["code"]) == (1008, "bad_request")


async def test_a_job_counts_its_audio_once(tmp_path: Path) -> None:
    store, usage = open_store(f"file://{tmp_path}/kept"), MemoryUsage()
    metrics, clock = GatewayMetrics(CollectorRegistry()), SystemClock()
    meter = UsageMeter(usage, clock, metrics)
    kept = Enhancements(store, ListedJobs(), Limits(3600.0, 10_000_000), clock, metrics, meter)
    for _ in range(2):  # the client came back for its last event
        await kept.accept(
            SessionId("session-1"), Epoch("1"), "tenant", PoolName("accurate"), PCM, TaskOptions("ar", True)
        )
    assert await meter.hand_over()
    today = dt.datetime.now(dt.UTC).date()
    assert await usage.read("tenant", [today]) == {today: {"accurate": Used(len(PCM) // 2, 0, 0)}}
