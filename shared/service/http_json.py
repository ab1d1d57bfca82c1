"""JSON over HTTP, the same in every service: bodies in, values and errors out, one status for each error.

An error is `{"error": {"code", "message", ...}}`: a code for machines, a sentence for people.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from shared.errors import (
    BadContentType,
    BadRequest,
    Conflict,
    NotFound,
    RattilError,
    StateLost,
    TooLarge,
    TooManyRequests,
    Unauthorised,
    Unavailable,
    UnknownJob,
    UnknownSession,
    UnknownVerse,
    UploadTooSlow,
)
from shared.service.logging import get_logger
from shared.unreadable import UNREADABLE, why_unreadable

RETRY_AFTER_S = 5.0
"""What `Retry-After` says where the error itself does not know."""

MEDIA_TYPE = "application/json"

BODY_TIMEOUT_S = 10.0
"""How long a JSON body may take to arrive, seconds: as long as a head."""

_STATUS: tuple[tuple[type[RattilError], int], ...] = (
    (Unauthorised, 401),
    (UnknownVerse, 404),
    (UnknownJob, 404),
    (UnknownSession, 404),
    (NotFound, 404),
    (UploadTooSlow, 408),
    (Conflict, 409),
    (StateLost, 410),
    (TooLarge, 413),
    (BadContentType, 415),
    (BadRequest, 400),
    (TooManyRequests, 429),
    (Unavailable, 503),
)
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
_log = get_logger(__name__)
_BodyT = TypeVar("_BodyT", bound=msgspec.Struct | dict[str, Any])


class Problem(msgspec.Struct, omit_defaults=True):
    """`fallback`: what to do instead; `retry_after_s`: when to try again, where that is known."""

    code: str
    message: str
    fallback: str = ""
    retry_after_s: float | None = None


class ErrorBody(msgspec.Struct):
    """What every answer but a good one holds."""

    error: Problem


def status_of(error: RattilError) -> int:
    """The HTTP status of an error of the shared tree; 500 for one that no caller can do anything about."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def error_response(error: RattilError, fallback: str = "") -> Response:
    """The error with its status, and `Retry-After` where trying again helps.

    `fallback`: what the caller can do instead.
    """
    retry_after_s = error.retry_after_s if isinstance(error, Unavailable) else None
    headers = {}
    if error.retryable:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s or RETRY_AFTER_S)))
    if isinstance(error, UploadTooSlow):
        headers["Connection"] = "close"  # or the rest of the body would go on arriving as slowly
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = "Bearer"
    problem = Problem(error.code, error.for_client, fallback, retry_after_s)
    return json_response(ErrorBody(problem), status_of(error), headers)


def refusal_response(error: HTTPException, message: str = "") -> Response:
    """What the table of paths refuses (an unknown path, a wrong method), in the shape of every error."""
    problem = Problem(_HTTP_CODES.get(error.status_code, "bad_request"), message or error.detail)
    return json_response(ErrorBody(problem), error.status_code, error.headers)


def bug_response(message: str) -> Response:
    """Our own failure: 500, without a word on its cause."""
    return json_response(ErrorBody(Problem("internal", message)), 500)


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A msgspec value as JSON."""
    return Response(msgspec.json.encode(value), status, headers, MEDIA_TYPE)


async def read_json(request: Request, body_type: type[_BodyT], max_bytes: int) -> _BodyT:
    """The request's JSON body.

    Raises `BadContentType` unless it is declared as JSON (a page of another site can only post other
    types without asking first), `UploadTooSlow` after `BODY_TIMEOUT_S`, `BadRequest` when it is too long or
    not what it must be, or if its client leaves before all of it has come.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != MEDIA_TYPE:
        raise BadContentType(f"the body must come as Content-Type: {MEDIA_TYPE}, not {declared[:60]!r}")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _read_body(request, max_bytes)
    except TimeoutError:
        raise UploadTooSlow(f"the body has not come within {BODY_TIMEOUT_S:g} s; send it at once") from None
    except ClientDisconnect:
        _log.debug("request_aborted", path=request.url.path)
        raise BadRequest("the client left before its body had come") from None
    try:
        decoded: _BodyT = msgspec.json.decode(body, type=body_type)
    except UNREADABLE as error:
        raise BadRequest(f"the body is not the JSON expected here: {why_unreadable(error)}") from error
    return decoded


async def _read_body(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise BadRequest(f"the body is longer than {max_bytes} bytes; send a shorter one")
    return bytes(body)


def whole_number(text: str, name: str, least: int, most: int) -> int:
    """A number from a query. Raises `BadRequest` with its name and what it may be."""
    # Longer digits than the bound's are too many, and Python refuses to read very long ones at all.
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most:
        return int(text)
    raise BadRequest(f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}")
