"""`POST /v1/realtime/client_secrets`, and the sockets that its secrets open."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.edge import Edge, edge, wav
from tests.unit.gateway.harness import Client

PATH = "/v1/realtime/client_secrets"
KEYS = {"api_keys": "school=s3cret"}
BEARER = {"Authorization": "Bearer s3cret"}
SESSION = {
    "type": "transcription",
    "audio": {"input": {"turn_detection": None, "transcription": {"language": "ar"}}},
}


async def ask(running: Edge, **body: Any) -> httpx.Response:
    return await running.http.post(PATH, json=body, headers=BEARER)


async def first_event(running: Edge, key: str) -> dict[str, Any]:
    client = Client(running.app, "/v1/realtime?intent=transcription", [("Authorization", f"Bearer {key}")])
    event = await client.receive()
    await client.leave()
    return event


async def test_a_secret_opens_a_session_as_it_was_configured() -> None:
    async with edge(**KEYS) as running:
        issued = (await ask(running, expires_after={"seconds": 60}, session=SESSION)).json()
        event = await first_event(running, issued["value"])
    assert event["type"] == "session.created"
    for shown in (issued["session"], event["session"]):
        assert shown["audio"]["input"]["turn_detection"] is None
        assert shown["audio"]["input"]["transcription"]["language"] == "ar"
    assert issued["expires_at"] > 1_700_000_000


async def test_a_secret_opens_nothing_else() -> None:
    async with edge(**KEYS) as running:
        secret = {"Authorization": f"Bearer {(await ask(running)).json()['value']}"}
        answers = [
            await running.http.post(PATH, json={}, headers=secret),
            await running.http.get("/v1/models", headers=secret),
            await running.http.get("/v1/usage", headers=secret),
            await running.post(wav(1600), headers=secret),
        ]
    assert [answer.status_code for answer in answers] == [401] * 4


async def test_a_secret_that_is_wrong_is_refused() -> None:
    async with edge(**KEYS) as running:
        event = await first_event(running, "ek_AAAA")
    assert (event["type"], event["error"]["code"]) == ("error", "unauthorised")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"expires_after": {"seconds": 1}}, "bad_request"),
        ({"expires_after": {"seconds": 7201}}, "bad_request"),
        ({"session": {"type": "realtime"}}, "unsupported_value"),
        ({"session": {"unknown": "x" * 5000}}, "bad_request"),
        ({"session": 1}, "bad_request"),
    ],
)
async def test_what_no_secret_is_issued_for(body: dict[str, Any], code: str) -> None:
    async with edge(**KEYS) as running:
        response = await ask(running, **body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == code


async def test_only_who_has_a_key_gets_one() -> None:
    async with edge(**KEYS) as running:
        response = await running.http.post(PATH, json={})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_without_keys_a_secret_carries_its_configuration_all_the_same() -> None:
    async with edge() as running:
        issued = (await ask(running, session=SESSION)).json()
        event = await first_event(running, issued["value"])
    assert event["session"]["audio"]["input"]["transcription"]["language"] == "ar"


# -- the beta shape ------------------------------------------------------------------------------------------
BETA_PATH = "/v1/realtime/transcription_sessions"
BETA_SESSION = {
    "input_audio_format": "g711_ulaw",
    "input_audio_transcription": {"model": "whisper-1", "language": "ar", "prompt": "Mecca"},
    "turn_detection": {"type": "server_vad", "threshold": 0.7, "silence_duration_ms": 900},
    "client_secret": {"expires_after": {"anchor": "created_at", "seconds": 30}},
}


async def ask_beta(running: Edge, body: Any) -> httpx.Response:
    return await running.http.post(BETA_PATH, json=body, headers=BEARER)


async def test_a_beta_session_is_opened_by_its_secret_as_it_was_configured() -> None:
    async with edge(**KEYS) as running:
        issued = (await ask_beta(running, BETA_SESSION)).json()
        secret = issued.pop("client_secret")
        client = Client(
            running.app,
            "/v1/realtime?intent=transcription",
            [("Authorization", f"Bearer {secret['value']}"), ("OpenAI-Beta", "realtime=v1")],
        )
        event = await client.receive()
        await client.leave()
    assert event["type"] == "transcription_session.created"
    assert {name: value for name, value in event["session"].items() if name != "id"} == {
        name: value for name, value in issued.items() if name != "id"
    }
    assert issued["input_audio_format"] == "g711_ulaw"
    assert issued["input_audio_transcription"] == BETA_SESSION["input_audio_transcription"]
    assert (issued["turn_detection"]["threshold"], issued["turn_detection"]["silence_duration_ms"]) == (
        0.7,
        900,
    )
    assert secret["expires_at"] > 1_700_000_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input_audio_format": "mp3"}, "unsupported_value"),
        ({"turn_detection": {"type": "other"}}, "invalid_value"),
        ({"client_secret": {"expires_after": {"seconds": 1}}}, "invalid_value"),
        ([], "bad_request"),
    ],
)
async def test_what_no_beta_session_is_made_for(body: Any, code: str) -> None:
    async with edge(**KEYS) as running:
        response = await ask_beta(running, body)
        unknown = await running.http.post(BETA_PATH, json={})
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (401, "invalid_api_key")
