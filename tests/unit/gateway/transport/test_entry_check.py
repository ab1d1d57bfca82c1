"""Requests of foreign pages and by foreign names end before any route, over HTTP as over WebSockets."""

from __future__ import annotations

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.auth.entry_policy import EntryPolicy
from gateway.transport.entry_check import EntryCheck


async def served(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def asked(method: str, path: str, **headers: str) -> tuple[int, str, list[str]]:
    """Status, code of the error, and what was counted, of a service without keys on this machine."""
    refused: list[str] = []
    check = EntryCheck(served, EntryPolicy.of("", "", host="127.0.0.1", keyed=False), refused.append)
    transport = httpx.ASGITransport(check)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        answer = await http.request(method, path, headers=headers)
    return answer.status_code, answer.json()["error"]["code"] if answer.content else "", refused


@pytest.mark.parametrize(
    "path", ["/verify", "/v1/audio/transcriptions", "/v1/listen", "/v1/realtime/sessions"]
)
async def test_a_foreign_page_posts_nothing(path: str) -> None:
    refusal = await asked("POST", path, Origin="https://evil.example")
    assert refusal == (403, "origin_not_allowed", ["origin_not_allowed"])


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000", "http://localhost:3000"])
async def test_a_page_of_this_machine_may(origin: str) -> None:
    assert await asked("POST", "/verify", Origin=origin) == (200, "", [])


async def test_who_is_no_page_may() -> None:
    assert await asked("POST", "/verify") == (200, "", [])


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_foreign_name_is_refused_whatever_is_asked(method: str) -> None:
    refusal = await asked(method, "/v1/models", Host="evil.example")
    assert refusal == (403, "host_not_allowed", ["host_not_allowed"])


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_probes_call_by_any_name(path: str) -> None:
    assert await asked("GET", path, Host="10-0-0-7.pods.example") == (200, "", [])
