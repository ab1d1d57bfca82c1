"""How Deepgram's clients are refused over HTTP, and how their sockets close."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import msgspec
from starlette.responses import Response

from gateway.connection.end_reason import EndReason
from shared.errors import (
    BadAudio,
    BadRequest,
    NoCapacity,
    RattilError,
    TooLarge,
    TooManyRequests,
    Unauthorised,
    UploadTooSlow,
)
from shared.ids import new_connection_id
from shared.protocol.close_codes import Close
from shared.service import http_json

ErrorName = Literal[
    "INVALID_AUTH",
    "INVALID_AUDIO",
    "PAYLOAD_TOO_LARGE",
    "INVALID_QUERY_PARAMETER",
    "TOO_MANY_REQUESTS",
    "SERVICE_UNAVAILABLE",
    "INTERNAL_SERVER_ERROR",
]

_DONE = Close(1000, "done")
_SERVER = Close(1011, "NET-0000: the service failed; connect again")

CLOSES: Mapping[EndReason, Close] = {
    EndReason.DONE: _DONE,
    EndReason.BAD_REQUEST: Close(1008, "DATA-0000: the client sent what cannot be understood"),
    EndReason.FRAME_TOO_BIG: Close(1009, "DATA-0000: a message is too big"),
    EndReason.DRAINING: Close(1012, "this gateway is going away; connect again"),
    EndReason.SLOW_CONSUMER: Close(1011, "NET-0000: messages were not read in time; connect again"),
    EndReason.IDLE: Close(1011, "NET-0001: no audio for too long; send KeepAlive while there is none"),
    EndReason.UNRESPONSIVE: Close(1011, "NET-0001: no answer to pings; connect again"),
    EndReason.STATE_LOST: _SERVER,
    EndReason.BUS_AWAY: _SERVER,
    EndReason.NO_CAPACITY: Close(1013, "no capacity: try again later"),
    EndReason.INTERNAL: _SERVER,
    EndReason.SUPERSEDED: Close(1008, "another connection took this stream"),
    EndReason.UNAUTHORISED: Close(1008, "INVALID_AUTH"),
    EndReason.LAGGING: Close(1013, "results are too far behind; connect again"),
    EndReason.OVERLOADED: Close(1013, "results come too late now: try again later"),
    EndReason.TOO_LONG: Close(1000, "the stream is as long as it may be"),
}
"""Standard codes; 1011, 1012 and 1013 mean that it helps to connect again."""


class Refusal(msgspec.Struct, frozen=True):
    """`err_code`: Deepgram's code; `dg-error` in the headers is Rattil's. `err_msg`: a sentence."""

    err_code: ErrorName
    err_msg: str
    request_id: str


def denial(error: RattilError) -> Response:
    """The answer to a request that is refused: Deepgram's body and headers."""
    request_id = new_connection_id()
    headers = {"dg-request-id": request_id, "dg-error": error.code}
    if error.retryable:
        wait_s = error.retry_after_s if isinstance(error, NoCapacity) else http_json.RETRY_AFTER_S
        headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    if isinstance(error, UploadTooSlow):
        headers["Connection"] = "close"  # or the rest of the body would go on arriving as slowly
    body = Refusal(_code(error), error.for_client, request_id)
    return http_json.json_response(body, http_json.status_of(error), headers)


def _code(error: RattilError) -> ErrorName:
    if isinstance(error, Unauthorised):
        return "INVALID_AUTH"
    if isinstance(error, BadAudio | UploadTooSlow):
        return "INVALID_AUDIO"
    if isinstance(error, TooLarge):
        return "PAYLOAD_TOO_LARGE"
    if isinstance(error, BadRequest):
        return "INVALID_QUERY_PARAMETER"
    if isinstance(error, TooManyRequests):
        return "TOO_MANY_REQUESTS"
    return "SERVICE_UNAVAILABLE" if error.retryable else "INTERNAL_SERVER_ERROR"
