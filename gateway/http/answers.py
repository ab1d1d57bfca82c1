"""How the gateway answers over HTTP: errors in the shape of all services, and what to do instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from shared.errors import BadRequest, RattilError, Unauthorised
from shared.protocol.close_codes import POLICY
from shared.service import http_json
from shared.service.logging import get_logger

_log = get_logger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


async def on_http_error(request: Request, error: Exception) -> Response:
    """What the router of paths refuses, in the same shape as every other error."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return http_json.refusal_response(error, f"{request.url.path} does not understand {request.method}")
    if error.status_code == 404:
        return http_json.refusal_response(
            error, f"there is nothing at {request.url.path}; see docs/protocol.md"
        )
    return http_json.refusal_response(error)


async def no_such_socket(websocket: WebSocket) -> None:
    """A WebSocket to a path that speaks no dialect: refused before it opens."""
    body = {"code": "not_found", "message": "there is no such socket; recite to /ws/recite or /ws/verify"}
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(JSONResponse({"error": body}, 404))
    else:
        await websocket.close(POLICY.code, "not_found")


def json_response(value: object, *, max_age_s: int = 0) -> Response:
    """A msgspec value as JSON; cacheable for `max_age_s` seconds."""
    caching = f"public, max-age={max_age_s}" if max_age_s else "no-store"
    return http_json.json_response(value, headers={"Cache-Control": caching})


def answering_errors(endpoint: Endpoint, fallback: str = "") -> Endpoint:
    """The endpoint with its `RattilError`s turned into answers."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RattilError as error:
            log_failure(request, error)
            return http_json.error_response(error, fallback)

    return answer


def log_failure(request: Request, error: RattilError) -> None:
    """What an operator should know of a request that failed: a key that was refused, and faults of ours."""
    if isinstance(error, Unauthorised):
        address = request.client.host if request.client else ""
        _log.info("request_refused", path=_template(request), address=address, code=error.code)
    if http_json.status_of(error) >= 500:
        _log.warning("request_failed", path=_template(request), code=error.code, reason=error.message)


def _template(request: Request) -> str:
    """The path for a log, without what it names: that may be a session's id."""
    path = request.url.path
    for name, value in request.path_params.items():
        path = path.replace(str(value), f"{{{name}}}")
    return path


def whole_number(text: str | None, name: str) -> int:
    """A query or path number. Raises `BadRequest` with the name of what is missing or no number."""
    if text is None:
        raise BadRequest(f"{name} is missing; say which verse, as in ?surah=1&ayah=1")
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise BadRequest(f"{name} must be a whole number, not {text[:40]!r}")
    return int(text)
