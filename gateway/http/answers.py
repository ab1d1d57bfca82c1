"""Errors as HTTP answers: a status, a code for machines, a sentence for people."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from gateway.admission.concurrency_limit import TooManyUploads
from gateway.auth.api_keys import Unauthorised
from shared.errors import (
    BadRequest,
    NoCapacity,
    RattilError,
    StateLost,
    Unavailable,
    UnknownSession,
    UnknownVerse,
)
from shared.protocol.close_codes import POLICY
from shared.service.logging import get_logger

RETRY_AFTER_S = 5.0
"""What `Retry-After` says where the error itself does not know."""


class TooLarge(BadRequest):
    """The request body is larger than the service accepts."""

    code = "too_large"


class UploadTooSlow(BadRequest):
    """The request body arrives more slowly than the service waits."""

    code = "upload_too_slow"


_STATUS: tuple[tuple[type[RattilError], int], ...] = (
    # The first that fits: special errors before general ones.
    (Unauthorised, 401),
    (UploadTooSlow, 408),
    (TooLarge, 413),
    (TooManyUploads, 429),
    (UnknownVerse, 404),
    (UnknownSession, 404),
    (StateLost, 410),
    (BadRequest, 400),
    (Unavailable, 503),
)

_log = get_logger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


def error_response(error: RattilError, fallback: str = "") -> JSONResponse:
    """`{"error": {"code", "message", "fallback"?}}` with the status that belongs to the error."""
    body = {"code": error.code, "message": error.message}
    if fallback:
        body["fallback"] = fallback
    headers = {}
    if error.retryable:
        after_s = error.retry_after_s if isinstance(error, NoCapacity) else RETRY_AFTER_S
        headers["Retry-After"] = str(max(1, math.ceil(after_s)))
    if isinstance(error, UploadTooSlow):
        headers["Connection"] = "close"  # or the rest of the body would go on arriving as slowly
    return JSONResponse({"error": body}, status_of(error), headers)


async def on_http_error(request: Request, error: Exception) -> Response:
    """What the router of paths refuses, in the same shape as every other error."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        code, message = "method_not_allowed", f"{request.url.path} does not understand {request.method}"
    elif error.status_code == 404:
        code, message = "not_found", f"there is nothing at {request.url.path}; see docs/protocol.md"
    else:
        code, message = "bad_request", error.detail
    return JSONResponse({"error": {"code": code, "message": message}}, error.status_code, error.headers)


async def no_such_socket(websocket: WebSocket) -> None:
    """A WebSocket to a path that speaks no dialect: refused before it opens."""
    body = {"code": "not_found", "message": "there is no such socket; recite to /ws/recite or /ws/verify"}
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(JSONResponse({"error": body}, 404))
    else:
        await websocket.close(POLICY.code, "not_found")


def status_of(error: RattilError) -> int:
    """The HTTP status of an error of the shared tree; 500 for one that no caller can do anything about."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def json_response(value: object, *, max_age_s: int = 0) -> Response:
    """A msgspec value as JSON; cacheable for `max_age_s` seconds."""
    headers = {"Cache-Control": f"public, max-age={max_age_s}" if max_age_s else "no-store"}
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)


def answering_errors(endpoint: Endpoint, fallback: str = "") -> Endpoint:
    """The endpoint with its `RattilError`s turned into answers."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RattilError as error:
            if status_of(error) >= 500:
                _log.warning("request_failed", path=request.url.path, code=error.code, reason=error.message)
            return error_response(error, fallback)

    return answer


def whole_number(text: str | None, name: str) -> int:
    """A query or path number. Raises `BadRequest` with the name of what is missing or no number."""
    if text is None:
        raise BadRequest(f"{name} is missing; say which verse, as in ?surah=1&ayah=1")
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise BadRequest(f"{name} must be a whole number, not {text[:40]!r}")
    return int(text)
