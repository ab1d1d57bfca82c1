"""An upload is bounded in time while it arrives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from gateway.http.upload import UploadLimits, read_form
from gateway.settings import GatewaySettings
from shared.errors import UploadTooSlow

HEAD = b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
LIMITS = UploadLimits(max_bytes=1_000_000, timeout_s=60, min_rate=0, grace_s=0)


def _request(chunks: list[bytes]) -> Request:
    """A body whose rest never comes."""

    async def receive() -> Message:
        if chunks:
            return {"type": "http.request", "body": chunks.pop(0), "more_body": True}
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/verify", "headers": headers}
    return Request(scope, receive)


async def test_a_body_that_stops_is_refused_at_the_deadline() -> None:
    limits = UploadLimits(LIMITS.max_bytes, timeout_s=0.05, min_rate=0, grace_s=0)
    with pytest.raises(UploadTooSlow, match=r"did not arrive within 0\.05 s"):
        await read_form(_request([HEAD, bytes(1000)]), limits, "audio")


async def test_a_body_below_the_least_rate_is_refused_before_the_deadline() -> None:
    limits = UploadLimits(LIMITS.max_bytes, timeout_s=60, min_rate=1e9, grace_s=0.05)
    with pytest.raises(UploadTooSlow, match="slower than 1e\\+09 bytes a second"):
        await read_form(_request([HEAD, bytes(1000)]), limits, "audio")


@pytest.mark.parametrize(
    ("received", "due_s"), [(0, 10), (4096, 11), (40_960, 20), (450_559, 119.99975585), (10_000_000, 120)]
)
def test_what_has_arrived_buys_time_up_to_the_deadline(received: int, due_s: float) -> None:
    limits = UploadLimits(max_bytes=1, timeout_s=120, min_rate=4096, grace_s=10)
    assert limits.due_s(received) == pytest.approx(due_s)


def test_one_byte_every_25_s_does_not_last() -> None:
    """With the settings that a gateway has by itself."""
    settings = GatewaySettings()
    limits = UploadLimits(
        settings.verify_max_bytes,
        settings.upload_timeout_s,
        settings.upload_min_rate,
        settings.upload_grace_s,
    )
    assert limits.due_s(1) < 25
