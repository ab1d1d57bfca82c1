"""What the routes of OpenAI's and Deepgram's clients answer is what /openapi.json says, field by field."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest

from gateway.description.openapi import openapi
from gateway.dialects.deepgram import recordings
from shared.errors import DecodeFailed, RattilError, Unavailable
from tests.integration import test_http_listen as listen
from tests.integration import test_http_transcriptions as transcriptions
from tests.integration.edge import edge, wav
from tests.unit.gateway.description.test_asyncapi import closed

DOCUMENT = openapi()
COMPONENTS = {"schemas": {name: closed(one) for name, one in DOCUMENT["components"]["schemas"].items()}}
SECRETS = "/v1/realtime/client_secrets"
SESSIONS = "/v1/realtime/transcription_sessions"
FAULTS = [DecodeFailed("no"), Unavailable("later")]


def check(response: httpx.Response, path: str, method: str = "post") -> None:
    """Status, media type and body are described."""
    described = DOCUMENT["paths"][path][method]["responses"][str(response.status_code)]
    if "$ref" in described:
        described = DOCUMENT["components"]["responses"][described["$ref"].rpartition("/")[2]]
    media_type = response.headers["content-type"].partition(";")[0]
    content = described["content"][media_type]
    body: Any = response.json() if media_type == "application/json" else response.text
    validate(body, content["schema"])
    if media_type == "text/event-stream":
        for event in transcriptions.events(response):
            validate(event, content["x-events"])


def validate(value: Any, schema: Any) -> None:
    jsonschema.Draft202012Validator(schema | {"components": COMPONENTS}).validate(value)


@pytest.mark.parametrize("fields", [{"response_format": one} for one in ("json", "text", "srt", "vtt")])
async def test_each_format(fields: dict[str, Any]) -> None:
    async with edge() as running:
        response = await transcriptions.post(running, **fields)
    assert response.status_code == 200
    check(response, transcriptions.PATH)


async def test_words_and_segments() -> None:
    asked: dict[str, Any] = {
        "response_format": "verbose_json",
        "timestamp_granularities[]": ["word", "segment"],
    }
    async with edge() as running:
        running.gateway.transcriber.heard = listen.HEARD
        response = await transcriptions.post(running, **asked)
    assert response.json()["words"]
    assert response.json()["segments"]
    check(response, transcriptions.PATH)


async def test_events_of_a_stream() -> None:
    async with edge() as running:
        response = await transcriptions.post(running, stream="true")
    assert [event["type"] for event in transcriptions.events(response)][-1] == "transcript.text.done"
    check(response, transcriptions.PATH)


@pytest.mark.parametrize("query", ["model=nova-3", "utterances=true&detect_language=true"])
async def test_recordings_of_deepgrams_clients(query: str) -> None:
    async with edge() as running:
        response = await listen.post(running, query=query)
    assert response.status_code == 200
    check(response, recordings.PATH)


async def test_models_and_secrets() -> None:
    async with edge() as running:
        models = await running.http.get("/v1/models")
        one = await running.http.get("/v1/models/whisper-1")
        none = await running.http.get("/v1/models/nothing")
        secret = await running.http.post(SECRETS, json={"session": {"type": "transcription"}})
        wrong = await running.http.post(SECRETS, json={"session": {"type": "realtime"}})
        text = await running.http.post(SECRETS, content=b"{}", headers={"content-type": "text/plain"})
    statuses = [response.status_code for response in (models, one, none, secret, wrong, text)]
    assert statuses == [200, 200, 404, 200, 400, 415]
    check(models, "/v1/models", "get")
    for response in (one, none):
        check(response, "/v1/models/{model}", "get")
    for response in (secret, wrong, text):
        check(response, SECRETS)


async def test_beta_sessions() -> None:
    async with edge() as running:
        session = await running.http.post(SESSIONS, json={"turn_detection": None})
        wrong = await running.http.post(SESSIONS, json={"input_audio_format": "mp3"})
        text = await running.http.post(SESSIONS, content=b"{}", headers={"content-type": "text/plain"})
    assert [response.status_code for response in (session, wrong, text)] == [200, 400, 415]
    for response in (session, wrong, text):
        check(response, SESSIONS)


async def test_refusals() -> None:
    async with edge() as running:
        found = [
            await transcriptions.post(running, model="nothing"),
            await transcriptions.post(running, response_format="diarized_json"),
            await transcriptions.post(running, b"no sound"),
            await running.http.put(transcriptions.PATH),
        ]
        refused = [
            await listen.post(running, query="diarize=true"),
            await listen.post(running, b"no sound"),
            await running.http.put(recordings.PATH),
        ]
    assert [response.status_code for response in found] == [404, 400, 400, 405]
    assert [response.status_code for response in refused] == [400, 400, 405]
    for response in found:
        check(response, transcriptions.PATH)
    for response in refused:
        check(response, recordings.PATH)


async def test_who_has_no_key() -> None:
    async with edge(api_keys="k") as running:
        found = [
            (await transcriptions.post(running), transcriptions.PATH, "post"),
            (await listen.post(running), recordings.PATH, "post"),
            (await running.http.get("/v1/models"), "/v1/models", "get"),
            (await running.http.post(SECRETS, json={}), SECRETS, "post"),
        ]
    for response, path, method in found:
        assert response.status_code == 401
        check(response, path, method)


async def test_too_large() -> None:
    audio = wav(40_000)
    async with edge(verify_max_bytes=65_536) as running:
        found = [await transcriptions.post(running, audio), await listen.post(running, audio)]
    assert [response.status_code for response in found] == [413, 413]
    check(found[0], transcriptions.PATH)
    check(found[1], recordings.PATH)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_faults(fault: RattilError) -> None:
    async with edge() as running:
        running.gateway.transcriber.failure = fault
        found = [await transcriptions.post(running), await listen.post(running)]
    assert {response.status_code for response in found} == {503 if isinstance(fault, Unavailable) else 500}
    check(found[0], transcriptions.PATH)
    check(found[1], recordings.PATH)


def test_the_check_sees_what_is_not_described() -> None:
    wrong = httpx.Response(200, json={"text": "t", "more": 1})
    with pytest.raises(jsonschema.ValidationError):
        check(wrong, transcriptions.PATH)
    with pytest.raises(KeyError):
        check(httpx.Response(418), transcriptions.PATH)
