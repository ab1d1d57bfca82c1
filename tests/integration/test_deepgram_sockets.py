"""`/v1/listen` on a real port: who is refused gets Deepgram's HTTP answer, and keys come in its own ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.integration.test_gateway_sockets import events, served
from tests.unit.gateway import speech

RAW = "encoding=linear16&sample_rate=16000"
CLOSE = '{"type":"CloseStream"}'


async def refusal(url: str, **options: Any) -> tuple[int, dict[str, str], dict[str, str]]:
    """The HTTP answer instead of a socket: status, headers, body."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, **options):
            pass
    response = refused.value.response
    return response.status_code, dict(response.headers.raw_items()), json.loads(response.body or b"{}")


async def said(client: ClientConnection) -> str:
    await client.send(speech.recite(range(3)))
    await client.send(CLOSE)
    results = [event for event in await events(client) if event["type"] == "Results"]
    assert client.close_code == 1000
    return " ".join(event["channel"]["alternatives"][0]["transcript"] for event in results)


EXPECTED = " ".join(speech.FATIHA.words[word].display for word in range(3))


async def test_a_request_that_cannot_be_served_is_refused_before_the_socket_opens() -> None:
    async with served() as s:
        status, headers, body = await refusal(f"ws://127.0.0.1:{s.port}/v1/listen?{RAW}&diarize=true")
        count = s.gateway.ports.metrics.registry.get_sample_value(
            "rattil_gateway_bad_messages_total", {"code": "diarization_unavailable"}
        )
    assert (status, body["err_code"], count) == (400, "INVALID_QUERY_PARAMETER", 1)
    assert "diarize" in body["err_msg"]
    assert headers["dg-request-id"] == body["request_id"]
    assert headers["dg-error"] == "diarization_unavailable"


@pytest.mark.parametrize("header", [None, "Token wrong", "Bearer wrong"])
async def test_without_a_known_key_nobody_comes_in(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with served(api_keys="school=k1") as s:
        status, _, body = await refusal(
            f"ws://127.0.0.1:{s.port}/v1/listen?{RAW}", additional_headers=headers
        )
    assert (status, body["err_code"]) == (401, "INVALID_AUTH")


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer"])
async def test_the_key_comes_in_the_header(scheme: str) -> None:
    async with (
        served(api_keys="school=k1") as s,
        connect(
            f"ws://127.0.0.1:{s.port}/v1/listen?{RAW}", additional_headers={"Authorization": f"{scheme} k1"}
        ) as client,
    ):
        assert await said(client) == EXPECTED


async def test_a_browser_s_key_comes_as_a_subprotocol_and_is_not_sent_back() -> None:
    offered = [Subprotocol("token"), Subprotocol("k1")]
    async with (
        served(api_keys="school=k1") as s,
        connect(f"ws://127.0.0.1:{s.port}/v1/listen?{RAW}", subprotocols=offered) as client,
    ):
        assert client.subprotocol == "token"
        assert client.response is not None
        assert client.response.headers["dg-request-id"]
        assert await said(client) == EXPECTED


async def test_who_comes_while_the_gateway_drains_gets_a_503() -> None:
    async with served() as s:
        await s.gateway.ports.connections.drain(0)
        status, headers, body = await refusal(f"ws://127.0.0.1:{s.port}/v1/listen?{RAW}")
    assert (status, body["err_code"], headers["dg-error"]) == (503, "SERVICE_UNAVAILABLE", "draining")
    assert int(headers["retry-after"]) >= 1
