"""A JSON body is waited for as long as a head; a client that leaves meanwhile is no error of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from shared.errors import BadContentType, BadRequest, UploadTooSlow
from shared.service import http_json
from shared.service.http_json import read_json


class Asked(msgspec.Struct):
    a: int


def request(*messages: dict[str, Any], content_type: str = "application/json") -> Request:
    """A request whose body comes in these messages, and then no more."""
    coming = list(messages)

    async def receive() -> Any:
        if coming:
            return coming.pop(0)
        return await asyncio.Event().wait()

    headers = [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "path": "/v1/x", "headers": headers}, receive)


def piece(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_pieces_is_read() -> None:
    assert await read_json(request(piece(b'{"a"'), piece(b":1}", more=False)), Asked, 100) == Asked(1)


async def test_a_body_that_stops_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_json, "BODY_TIMEOUT_S", 0.05)
    with pytest.raises(UploadTooSlow, match="has not come within"):
        await read_json(request(piece(b'{"a"')), Asked, 100)


async def test_a_client_that_leaves_is_one_debug_line() -> None:
    with capture_logs() as logged, pytest.raises(BadRequest, match="the client left"):
        await read_json(request(piece(b'{"a"'), {"type": "http.disconnect"}), Asked, 100)
    assert [(line["event"], line["path"], line["log_level"]) for line in logged] == [
        ("request_aborted", "/v1/x", "debug")
    ]


async def test_other_types_and_long_bodies_are_refused() -> None:
    with pytest.raises(BadContentType, match="application/json"):
        await read_json(request(content_type="text/plain"), Asked, 100)
    with pytest.raises(BadRequest, match="longer than 10 bytes"):
        await read_json(request(piece(b'{"a":1234567890}')), Asked, 10)
    with pytest.raises(BadRequest, match="is not the JSON expected"):
        await read_json(request(piece(b"[]", more=False)), Asked, 10)
