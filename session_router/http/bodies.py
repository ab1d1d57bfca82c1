"""JSON in and out of the router's HTTP API: strict, bounded, with one shape for every error."""

from __future__ import annotations

import math
import re
from typing import TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from session_router.admission.overflow import WaitingRoomFull
from session_router.registry.registry import LeaseConflict, UnknownPool, UnknownSession
from shared.errors import BadRequest, NoCapacity, RattilError, Unavailable
from shared.ids import PoolName, SessionId, is_session_id
from shared.service.logging import get_logger

_NAME = re.compile(r"[A-Za-z0-9_.-]{0,64}")
_STATUS: tuple[tuple[type[RattilError], int], ...] = (
    (BadRequest, 400),
    (UnknownSession, 404),
    (UnknownPool, 404),
    (LeaseConflict, 409),
    (WaitingRoomFull, 429),
    (Unavailable, 503),
)
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
_BodyT = TypeVar("_BodyT", bound=msgspec.Struct)
_log = get_logger(__name__)


class _Problem(msgspec.Struct, omit_defaults=True):
    code: str
    message: str
    retry_after_s: float | None = None


class _ErrorBody(msgspec.Struct):
    error: _Problem


async def read_body(request: Request, body_type: type[_BodyT], max_bytes: int) -> _BodyT:
    """The request's JSON body. Raises `BadRequest` when it is too long or not what it must be."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise BadRequest(f"the body is longer than {max_bytes} bytes; send a shorter one")
    try:
        return msgspec.json.decode(bytes(body), type=body_type)
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is not the JSON expected here: {error}") from error


def checked_session_id(text: str) -> SessionId:
    """Raises `BadRequest` unless `text` has the shape of a session id."""
    if not is_session_id(text):
        raise BadRequest("a session id is 8 to 64 letters, digits, '_' or '-'")
    return SessionId(text)


def checked_name(text: str, what: str) -> PoolName:
    """A pool's (or tenant's, or protocol's) name. Raises `BadRequest` for a bad one."""
    if _NAME.fullmatch(text) is None:
        raise BadRequest(f"a {what} is at most 64 letters, digits, '_', '.' or '-'")
    return PoolName(text)


def json_response(body: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def error_response(error: RattilError) -> Response:
    """`{"error":{"code","message"}}`, with Retry-After where waiting helps."""
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
    retry_after_s = error.retry_after_s if isinstance(error, NoCapacity) else None
    response = json_response(_ErrorBody(_Problem(error.code, error.message, retry_after_s)), status)
    if retry_after_s is not None:
        response.headers["retry-after"] = str(max(1, math.ceil(retry_after_s)))
    elif status == 503:
        response.headers["retry-after"] = "1"
    return response


async def on_rattil_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RattilError)
    return error_response(error)


async def on_http_error(_request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "bad_request")
    response = json_response(_ErrorBody(_Problem(code, error.detail)), error.status_code)
    response.headers.update(error.headers or {})
    return response


async def on_bug(request: Request, error: Exception) -> Response:
    _log.error("request_failed", path=request.url.path, exc_info=error)
    return json_response(_ErrorBody(_Problem("internal", "the router failed; its log says why")), 500)
