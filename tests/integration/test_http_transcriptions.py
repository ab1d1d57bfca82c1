"""OpenAI's REST addresses through the real upload path and decoder, with a scripted batch side."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from shared.errors import BusUnavailable, DecodeFailed, RattilError, Unavailable
from shared.transcription.recording import Stretch
from tests.integration.edge import Edge, edge, wav

PATH = "/v1/audio/transcriptions"


async def post(running: Edge, audio: bytes = wav(16_000), **fields: Any) -> httpx.Response:
    files = {"file": ("talk.wav", audio, "audio/wav")}
    data = {"model": "whisper-1"} | fields
    return await running.http.post(PATH, files=files, data=data)


def problem(response: httpx.Response) -> dict[str, Any]:
    """The error, which always has OpenAI's four fields."""
    (error,) = response.json().values()
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"]
    made: dict[str, Any] = error
    return made


def events(response: httpx.Response) -> list[dict[str, Any]]:
    return [
        json.loads(line.removeprefix("data: "))
        for line in response.text.splitlines()
        if line.startswith("data: ")
    ]


async def test_a_recording_is_decoded_and_transcribed() -> None:
    async with edge() as running:
        response = await post(running, wav(44_100, rate=44_100, channels=2), language="en", prompt="Rattil")
        usage = await running.http.get("/v1/usage")
    assert response.status_code == 200
    assert response.json() == {"text": "Hello there.", "usage": {"type": "duration", "seconds": 1}}
    ((pcm16, options),) = running.gateway.transcriber.asked
    assert abs(len(pcm16) // 2 - 16_000) < 100
    assert (options.language, options.prompt, options.word_timestamps) == ("en", "Rattil", False)
    assert usage.json()["total"]["sessions"] in (0, 1)  # handed over every few seconds


@pytest.mark.parametrize(
    ("response_format", "kind", "begins"),
    [
        ("text", "text/plain", "Hello there."),
        ("srt", "text/plain", "1\n00:00:00,000 --> 00:00:01,000\nHello there."),
        ("vtt", "text/plain", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHello there."),
        ("verbose_json", "application/json", '{"language":"english"'),
    ],
)
async def test_every_format(response_format: str, kind: str, begins: str) -> None:
    async with edge() as running:
        response = await post(running, response_format=response_format)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    assert response.text.startswith(begins)


async def test_a_stream_has_deltas_that_add_up_to_the_text() -> None:
    async with edge() as running:
        running.gateway.transcriber.heard = [
            Stretch(0, 900, "Hello there.", language="en"),
            Stretch(1000, 1500, "", language="en"),
            Stretch(2000, 2900, "Good morning.", language="en"),
        ]
        response = await post(running, stream="true")
        metrics = (await running.http.get("/metrics")).text
    assert response.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events(response)
    assert [event["type"] for event in deltas] == ["transcript.text.delta"] * 2
    assert "".join(event["delta"] for event in deltas) == "Hello there. Good morning."
    assert done == {
        "type": "transcript.text.done",
        "text": "Hello there. Good morning.",
        "usage": {"type": "duration", "seconds": 1},
    }
    assert 'rattil_gateway_transcriptions_total{code="ok"} 1.0' in metrics
    assert "rattil_gateway_uploads 0.0" in metrics


async def test_a_stream_that_fails_says_so_as_its_last_event() -> None:
    async with edge() as running:
        running.gateway.transcriber.failure = Unavailable("no worker finished this recording")
        response = await post(running, stream="true")
        metrics = (await running.http.get("/metrics")).text
    delta, failed = events(response)
    assert delta["delta"] == "Hello there."
    assert failed["error"]["code"] == "unavailable"
    assert failed["error"]["type"] == "server_error"
    assert 'rattil_gateway_transcriptions_total{code="unavailable"} 1.0' in metrics
    assert "rattil_gateway_uploads 0.0" in metrics


async def test_a_stream_holds_its_place_and_gives_it_back_when_the_client_leaves() -> None:
    async with edge(verify_max_concurrent=1, sse_keepalive_s=0.05) as running:
        transcriber = running.gateway.transcriber
        transcriber.hold.clear()
        first = asyncio.create_task(post(running, stream="true"))
        await transcriber.begun.wait()
        second = await post(running)
        assert second.status_code == 503
        assert problem(second)["code"] == "no_capacity"
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        transcriber.hold.set()
        assert transcriber.left == 1
        assert (await post(running)).status_code == 200


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Unavailable("no worker finished this recording"), 503),
        (BusUnavailable("away"), 503),
        (DecodeFailed("the engine stumbled"), 500),
    ],
)
async def test_what_fails_behind_the_edge_is_named(failure: RattilError, status: int) -> None:
    async with edge() as running:
        running.gateway.transcriber.failure = failure
        response = await post(running)
        metrics = (await running.http.get("/metrics")).text
    assert response.status_code == status
    assert problem(response)["code"] == failure.code
    assert ("retry-after" in response.headers) == (status == 503)
    assert f'rattil_gateway_transcriptions_total{{code="{failure.code}"}} 1.0' in metrics


@pytest.mark.parametrize(
    ("fields", "status", "param", "code"),
    [
        ({"model": "gpt-9"}, 404, "model", "model_not_found"),
        ({"model": ""}, 400, "model", "invalid_value"),
        ({"response_format": "docx"}, 400, "response_format", "unsupported_value"),
        ({"language": "klingon"}, 400, "language", "invalid_value"),
        ({"temperature": "2"}, 400, "temperature", "invalid_value"),
    ],
)
async def test_a_bad_parameter_is_named(fields: dict[str, Any], status: int, param: str, code: str) -> None:
    async with edge() as running:
        response = await post(running, **fields)
    assert response.status_code == status
    assert (problem(response)["param"], problem(response)["code"]) == (param, code)
    assert running.gateway.transcriber.asked == []


async def test_uploads_go_through_the_same_bounds_as_all_others() -> None:
    async with edge(verify_max_bytes=65_536, verify_max_s=1.0) as running:
        too_large = await post(running, wav(100_000))
        too_long = await post(running, wav(17_000))
        no_sound = await post(running, b"this is not sound" * 50)
        no_file = await running.http.post(PATH, data={"model": "whisper-1"}, files={"sound": wav(10)})
        no_form = await running.http.post(PATH, content=wav(10))
    assert (too_large.status_code, problem(too_large)["code"]) == (413, "too_large")
    assert (too_long.status_code, problem(too_long)["code"]) == (400, "bad_audio")
    assert (no_sound.status_code, problem(no_sound)["code"]) == (400, "bad_audio")
    assert (no_file.status_code, problem(no_file)["code"]) == (400, "bad_audio")
    assert "'file'" in problem(no_file)["message"]
    assert (no_form.status_code, problem(no_form)["code"]) == (400, "bad_request")


async def test_a_key_is_asked_for_where_there_are_any() -> None:
    async with edge(api_keys="school=s3cret") as running:
        without = [await post(running), await running.http.get("/v1/models")]
        running.http.headers["Authorization"] = "Bearer s3cret"
        with_key = await post(running)
    for refused in without:
        assert refused.status_code == 401
        assert problem(refused)["code"] == "invalid_api_key"
    assert with_key.status_code == 200


async def test_models_are_listed_by_every_name_they_answer_to() -> None:
    async with edge(transcription_pools="english,arabic") as running:
        listed = await running.http.get("/v1/models")
        one = await running.http.get("/v1/models/whisper-1")
        unknown = await running.http.get("/v1/models/gpt-9")
    names = [model["id"] for model in listed.json()["data"]]
    assert listed.json()["object"] == "list"
    assert {"whisper-1", "gpt-4o-transcribe", "default", "english", "arabic"} <= set(names)
    assert len(names) == len(set(names))
    assert one.json().items() >= {"id": "whisper-1", "object": "model"}.items()
    assert (unknown.status_code, problem(unknown)["code"]) == (404, "model_not_found")


async def test_a_model_is_the_pool_that_runs_it() -> None:
    async with edge(
        pools="default=whisper-base,english=whisper-small", transcription_pools="arabic"
    ) as running:
        for model in ("whisper-1", "default", "whisper-base", "english", "whisper-small", "arabic"):
            assert (await post(running, model=model)).status_code == 200
        pools = running.gateway.transcriber.pools
    assert pools == ["default", "default", "default", "english", "english", "arabic"]


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("DELETE", "/v1/models/whisper-1")])
async def test_other_methods_are_refused_in_the_same_shape(method: str, path: str) -> None:
    async with edge() as running:
        response = await running.http.request(method, path)
    assert response.status_code == 405
    assert problem(response)["type"] == "invalid_request_error"
