"""Every kind of error in OpenAI's shape, with its status."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.admission.concurrency_limit import TooManyUploads
from gateway.dialects.openai.errors import (
    BadParameter,
    ModelNotFound,
    UnsupportedParameter,
    error_response,
)
from shared.errors import (
    BadAudio,
    BadRequest,
    BusUnavailable,
    DecodeFailed,
    NoCapacity,
    RattilError,
    StateLost,
    TooLarge,
    Unauthorised,
    Unavailable,
    UploadTooSlow,
)

INVALID, SERVER = "invalid_request_error", "server_error"


@pytest.mark.parametrize(
    ("error", "status", "kind", "param", "code"),
    [
        (BadParameter("language", "no such language"), 400, INVALID, "language", "invalid_value"),
        (UnsupportedParameter("include", "no logprobs"), 400, INVALID, "include", "unsupported_value"),
        (ModelNotFound("no such model"), 404, INVALID, "model", "model_not_found"),
        (BadAudio("no sound"), 400, INVALID, None, "bad_audio"),
        (BadRequest("cannot be read"), 400, INVALID, None, "bad_request"),
        (Unauthorised("a key is needed"), 401, INVALID, None, "invalid_api_key"),
        (UploadTooSlow("too slow"), 408, INVALID, None, "upload_too_slow"),
        (StateLost("it is gone"), 410, INVALID, None, "state_lost"),
        (TooLarge("too large"), 413, INVALID, None, "too_large"),
        (TooManyUploads("as many as it may", 7.0), 429, "requests", None, "rate_limit_exceeded"),
        (DecodeFailed("the engine stumbled"), 500, SERVER, None, "asr_failed"),
        (Unavailable("no worker"), 503, SERVER, None, "unavailable"),
        (BusUnavailable("away"), 503, SERVER, None, "bus_unavailable"),
        (NoCapacity("full", 3.2), 503, SERVER, None, "no_capacity"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, RattilError) else None,
)
def test_the_shape_of_an_error(
    error: RattilError, status: int, kind: str, param: str | None, code: str
) -> None:
    response = error_response(error)
    body: dict[str, Any] = msgspec.json.decode(response.body)
    assert response.status_code == status
    message = body["error"].pop("message")
    assert message == error.for_client
    assert body == {"error": {"type": kind, "param": param, "code": code}}


def test_when_to_try_again() -> None:
    assert error_response(NoCapacity("full", 3.2)).headers["retry-after"] == "4"
    assert error_response(TooManyUploads("many", 7.0)).headers["retry-after"] == "7"
    assert error_response(Unavailable("away")).headers["retry-after"] == "5"
    assert "retry-after" not in error_response(BadAudio("no sound")).headers


def test_a_key_that_is_missing_says_how_to_send_one() -> None:
    assert error_response(Unauthorised("a key is needed")).headers["www-authenticate"] == "Bearer"
