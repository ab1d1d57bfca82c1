"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, each with its status."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.dialects.openai.codes import OpenAICode
from gateway.http.answers import log_failure
from shared.errors import (
    BadRequest,
    NoCapacity,
    NotFound,
    RattilError,
    TooManyRequests,
    Unauthorised,
    UploadTooSlow,
)
from shared.service import http_json

Endpoint = Callable[[Request], Awaitable[Response]]


class BadParameter(BadRequest):
    """A parameter is missing, or cannot be what it is."""

    code = "invalid_value"

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


class UnsupportedParameter(BadParameter):
    """A parameter asks for something that this service does not do."""

    code = "unsupported_value"


class ModelNotFound(NotFound):
    """No model is served under this name."""

    code = "model_not_found"
    param = "model"


class Problem(msgspec.Struct, frozen=True):
    """What OpenAI's clients read. `code`: theirs where they have one (`invalid_api_key`, `model_not_found`,
    `rate_limit_exceeded`), else Rattil's."""

    message: str
    type: str
    param: str | None = None
    code: OpenAICode | None = None


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every answer that is no success, and the last event of a stream that failed."""

    error: Problem


def problem_of(error: RattilError) -> Problem:
    """The error as OpenAI's clients expect it."""
    param: str | None = getattr(error, "param", None)
    if isinstance(error, Unauthorised):
        return Problem(error.for_client, "invalid_request_error", param, "invalid_api_key")
    if isinstance(error, TooManyRequests):
        return Problem(error.for_client, "requests", param, "rate_limit_exceeded")
    callers = http_json.status_of(error) < 500
    return Problem(
        error.for_client, "invalid_request_error" if callers else "server_error", param, error.code
    )


def error_response(error: RattilError) -> Response:
    """The error with its status, and `Retry-After` where trying again helps."""
    headers = {}
    if error.retryable:
        wait_s = error.retry_after_s if isinstance(error, NoCapacity) else http_json.RETRY_AFTER_S
        headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    if isinstance(error, UploadTooSlow):
        headers["Connection"] = "close"  # or the rest of the body would go on arriving as slowly
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = "Bearer"
    return http_json.json_response(ErrorBody(problem_of(error)), http_json.status_of(error), headers)


def answering_errors(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its `RattilError`s turned into answers."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RattilError as error:
            log_failure(request, error)
            return error_response(error)

    return answer


async def wrong_method(request: Request) -> Response:
    """A method that the path does not understand."""
    message = f"Invalid method for URL ({request.method} {request.url.path})"
    body = ErrorBody(Problem(message, "invalid_request_error", None, "method_not_allowed"))
    return http_json.json_response(body, 405)
