"""What an answer over HTTP leaves in the log."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from gateway.http.answers import answering_errors
from shared.errors import BusUnavailable

SECRET = "a-whole-session-id"


async def _fails(_request: Request) -> Response:
    raise BusUnavailable("Redis is away")


async def test_a_failure_is_logged_without_what_its_path_names() -> None:
    app = Starlette(routes=[Route("/v1/sessions/{session_id}", answering_errors(_fails))])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        with capture_logs() as logged:
            answer = await http.get(f"/v1/sessions/{SECRET}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert logged[0]["path"] == "/v1/sessions/{session_id}"
    assert SECRET not in str(logged)
