"""`POST /verify`: the report's shape, every refusal by name, and bounds on what it may cost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from shared.errors import BadAudio, BusUnavailable, DecodeFailed, Unavailable
from tests.integration.edge import edge, wav
from tests.unit.audio.recordings import encoded, patched_rate, tone

REPORT_FIELDS = {
    "transcribed_text",
    "accuracy_score",
    "word_analysis",
    "extra_words",
    "tajweed_score",
    "tajweed_feedback",
    "confidence_level",
    "confidence_score",
    "teacher_feedback_text",
    "timing_data",
    "timing_ms",
    "wer",
    "cer",
}
WORD_FIELDS = {"word", "status", "confidence", "feedback", "start_time", "end_time"}


def refusal(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()["error"]
    assert body["message"]
    return body


async def test_a_recording_is_decoded_and_graded() -> None:
    async with edge() as running:
        response = await running.post(wav(16_000))
    assert response.status_code == 200
    report = response.json()
    assert report.keys() >= REPORT_FIELDS
    assert len(report["word_analysis"]) == 29
    assert report["word_analysis"][0].keys() >= WORD_FIELDS
    ((pcm16, passage),) = running.batch.uploads
    assert (len(pcm16), passage) == (32_000, "1:1-7")


async def test_a_model_may_be_chosen_and_the_accurate_one_judges_without_a_choice() -> None:
    async with edge(pools="fast=rattil-tiny,accurate=rattil-base") as running:
        for chosen in ("", "&model=fast", "&model=rattil-base"):
            response = await running.post(wav(16_000), f"surah=1&ayah=1{chosen}")
            assert response.status_code == 200
        unknown = await running.post(wav(16_000), "surah=1&ayah=1&model=huge")
    assert running.batch.judges == [("accurate", "fast"), ("fast",), ("accurate",)]
    assert (unknown.status_code, refusal(unknown)["code"]) == (400, "unknown_model")
    assert "accurate (rattil-base)" in refusal(unknown)["message"]


async def test_other_rates_and_channels_become_16_khz_mono() -> None:
    async with edge() as running:
        response = await running.post(wav(44_100, rate=44_100, channels=2), "surah=112&ayah=1")
        assert response.status_code == 200
    pcm16, passage = running.batch.uploads[0]
    assert abs(len(pcm16) // 2 - 16_000) < 100
    assert passage == "112:1"


@pytest.mark.parametrize(
    ("query", "status", "code", "named"),
    [
        ("", 400, "bad_request", "surah"),
        ("surah=1", 400, "bad_request", "ayah"),
        ("surah=one&ayah=1", 400, "bad_request", "surah"),
        ("surah=1&ayah=-1", 400, "bad_request", "ayah"),
        ("surah=1&ayah=1&to=x", 400, "bad_request", "to"),
        ("surah=1&ayah=5&to=2", 400, "bad_request", "backwards"),
        ("surah=115&ayah=1", 404, "unknown_verse", "115"),
        ("surah=1&ayah=8", 404, "unknown_verse", "1 to 7"),
        ("surah=١&ayah=1", 400, "bad_request", "surah"),
        ("surah=99999999999999&ayah=1", 400, "bad_request", "surah"),
    ],
)
async def test_a_wrong_verse_is_named(query: str, status: int, code: str, named: str) -> None:
    async with edge() as running:
        response = await running.post(wav(1600), query)
    assert response.status_code == status
    error = refusal(response)
    assert error["code"] == code
    assert named in error["message"]
    assert "audio" in error["fallback"]
    assert running.batch.uploads == []


async def test_what_is_no_audio_is_refused() -> None:
    async with edge() as running:
        empty = await running.post(b"")
        garbage = await running.post(b"this is not sound" * 50)
    for response in (empty, garbage):
        assert response.status_code == 400
        assert refusal(response)["code"] == "bad_audio"


async def test_the_multipart_field_must_be_there_and_a_file() -> None:
    async with edge() as running:
        other = await running.http.post("/verify?surah=1&ayah=1", files={"sound": ("a.wav", wav(10))})
        text = await running.http.post("/verify?surah=1&ayah=1", data={"audio": "hello"})
        raw = await running.http.post("/verify?surah=1&ayah=1", content=wav(10))
        broken = await running.http.post(
            "/verify?surah=1&ayah=1",
            content=b"--x\r\nnonsense",
            headers={"content-type": "multipart/form-data"},
        )
        many = await running.http.post(
            "/verify?surah=1&ayah=1", files=[("audio", ("a.wav", wav(10))), ("more", ("b.wav", wav(10)))]
        )
    assert refusal(other)["code"] == "bad_audio"
    for response in (text, raw, broken, many):
        assert response.status_code == 400
        assert refusal(response)["code"] == "bad_request"


async def test_an_upload_is_bounded_in_bytes_even_without_a_length() -> None:
    async def slowly() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
        for _ in range(40):
            yield bytes(8192)

    async with edge(verify_max_bytes=65_536) as running:
        declared = await running.post(wav(100_000))
        chunked = await running.http.post(
            "/verify?surah=1&ayah=1",
            content=slowly(),
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
    for response in (declared, chunked):
        assert response.status_code == 413
        assert refusal(response)["code"] == "too_large"


async def test_a_recording_is_bounded_in_seconds() -> None:
    async with edge(verify_max_s=1.0) as running:
        response = await running.post(wav(17_000))
    assert response.status_code == 400
    assert "longer than 1 s" in refusal(response)["message"]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Unavailable("no worker finished this recording"), 503),
        (BusUnavailable("away"), 503),
        (BadAudio("only silence"), 400),
        (DecodeFailed("the engine stumbled"), 500),
    ],
)
async def test_what_fails_behind_the_edge_is_named(failure: Any, status: int) -> None:
    async with edge() as running:
        running.fail_with(failure)
        response = await running.post(wav(1600))
    assert response.status_code == status
    assert refusal(response)["code"] == failure.code
    assert ("retry-after" in response.headers) == (status == 503)


async def test_uploads_in_work_are_bounded() -> None:
    async with edge(verify_max_concurrent=1) as running:
        running.batch.hold.clear()
        first = asyncio.create_task(running.post(wav(1600)))
        await running.batch.begun.wait()
        second = await running.post(wav(1600))
        assert second.status_code == 503
        assert refusal(second)["code"] == "no_capacity"
        running.batch.hold.set()
        assert (await first).status_code == 200
        assert (await running.post(wav(1600))).status_code == 200


async def test_an_api_key_is_asked_for_where_there_are_any() -> None:
    async with edge(api_keys="school=s3cret") as running:
        without = await running.post(wav(1600))
        with_key = await running.post(wav(1600), headers={"Authorization": "Bearer s3cret"})
    assert without.status_code == 401
    assert refusal(without)["code"] == "unauthorised"
    assert with_key.status_code == 200


async def test_outcomes_are_counted() -> None:
    async with edge() as running:
        await running.post(wav(1600))
        await running.post(b"")
        text = (await running.http.get("/metrics")).text
    assert 'rattil_gateway_verify_total{code="ok"} 1.0' in text
    assert 'rattil_gateway_verify_total{code="bad_audio"} 1.0' in text


async def test_only_post_is_understood() -> None:
    async with edge() as running:
        assert (await running.http.get("/verify?surah=1&ayah=1")).status_code == 405


HEAD = b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'


async def _stalled(begun: asyncio.Event) -> Any:
    """A body that begins and never goes on."""
    yield HEAD + bytes(1000)
    begun.set()
    await asyncio.Event().wait()


async def test_an_upload_that_stalls_is_refused_and_gives_its_place_back() -> None:
    async with edge(upload_timeout_s=0.05, verify_max_concurrent=1) as running:
        response = await running.http.post(
            "/verify?surah=1&ayah=1",
            content=_stalled(asyncio.Event()),
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
        assert response.status_code == 408
        assert refusal(response)["code"] == "upload_too_slow"
        assert response.headers["connection"] == "close"
        assert (await running.post(wav(1600))).status_code == 200
        text = (await running.http.get("/metrics")).text
    assert 'rattil_gateway_verify_total{code="upload_too_slow"} 1.0' in text
    assert "rattil_gateway_uploads 0.0" in text


async def test_slow_uploads_of_one_address_leave_places_for_others() -> None:
    async with edge(verify_max_per_address=1, verify_max_concurrent=2) as running:
        begun = asyncio.Event()
        first = asyncio.create_task(
            running.http.post(
                "/verify?surah=1&ayah=1",
                content=_stalled(begun),
                headers={"content-type": "multipart/form-data; boundary=x"},
            )
        )
        await begun.wait()
        again = await running.post(wav(1600))
        assert again.status_code == 429
        assert refusal(again)["code"] == "too_many_uploads"
        assert again.headers["retry-after"]
        elsewhere = httpx.ASGITransport(app=running.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=elsewhere, base_url="http://127.0.0.1") as other:
            files = {"audio": ("a.wav", wav(1600))}
            assert (await other.post("/verify?surah=1&ayah=1", files=files)).status_code == 200
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_uploads_of_one_tenant_leave_places_for_others() -> None:
    async with edge(api_keys="school=one,mosque=two", verify_max_per_tenant=1) as running:
        running.batch.hold.clear()
        first = asyncio.create_task(running.post(wav(1600), headers={"X-API-Key": "one"}))
        await running.batch.begun.wait()
        second = await running.post(wav(1600), headers={"X-API-Key": "one"})
        assert refusal(second)["code"] == "too_many_uploads"
        other = asyncio.create_task(running.post(wav(1600), headers={"X-API-Key": "two"}))
        running.batch.hold.set()
        assert [(await task).status_code for task in (first, other)] == [200, 200]


@pytest.mark.parametrize(
    ("path", "query", "counted"),
    [
        ("/verify", b"surah=1&ayah=1", "rattil_gateway_verify_total"),
        ("/v1/audio/transcriptions", b"", "rattil_gateway_transcriptions_total"),
        ("/v1/listen", b"", "rattil_gateway_listen_recordings_total"),
    ],
)
async def test_an_aborted_upload_is_no_error(path: str, query: bytes, counted: str) -> None:
    async with edge() as running:
        messages = [
            {"type": "http.request", "body": HEAD + bytes(1000), "more_body": True},
            {"type": "http.disconnect"},
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [(b"content-type", b"multipart/form-data; boundary=x")],
            "client": ("192.0.2.1", 1),
            "server": ("test", 80),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
        }
        with capture_logs() as logged:
            await running.app(scope, receive, send)
        text = (await running.http.get("/metrics")).text
    assert f'{counted}{{code="aborted"}} 1.0' in text
    assert [(line["event"], line["path"], line["log_level"]) for line in logged] == [
        ("upload_aborted", path, "debug")
    ]
    assert "rattil_gateway_uploads 0.0" in text
    assert running.batch.uploads == []


async def test_damage_is_told_beside_the_report() -> None:
    whole = encoded("adts", "aac", [tone(2.0, 16_000)])
    async with edge() as running:
        good = await running.post(whole)
        cut = await running.post(whole[: len(whole) * 6 // 10])
        index_lost = await running.post(encoded("mp4", "aac", [tone(2.0, 16_000)])[:9000])
    assert (good.status_code, good.json()["warnings"]) == (200, [])
    assert cut.status_code == 200
    assert "damaged" in cut.json()["warnings"][0]
    assert index_lost.status_code == 400
    assert refusal(index_lost)["code"] == "bad_audio"
    assert len(running.batch.uploads[1][0]) > 16_000


async def test_a_sample_rate_that_changes_inside_a_file_is_understood() -> None:
    parts = [encoded("mp3", "libmp3lame", [tone(2.0, rate)], rate) for rate in (44_100, 48_000)]
    async with edge() as running:
        answer = await running.post(b"".join(parts))
    [(pcm16, _passage)] = running.batch.uploads
    assert answer.status_code == 200
    assert len(pcm16) / 32_000 == pytest.approx(4.0, abs=0.2)


async def test_no_upload_opens_a_file_or_builds_a_large_filter(tmp_path: Path) -> None:
    secret = tmp_path / "private.wav"
    secret.write_bytes(wav(1600))
    hostile = {
        "names a file": b"ffconcat version 1.0\nfile " + str(secret).encode() + b"\n",
        "opens a socket": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n",
        "120 MHz": patched_rate(wav(1), 120_000_007),
    }
    async with edge() as running:
        answers = [await running.post(data) for data in hostile.values()]
        text = (await running.http.get("/metrics")).text
    for answer in answers:
        assert answer.status_code == 400
        assert refusal(answer)["code"] == "bad_audio"
        assert "private" not in refusal(answer)["message"]
    assert 'rattil_gateway_decoding_seconds_count{outcome="refused"} 3.0' in text
    assert running.batch.uploads == []
