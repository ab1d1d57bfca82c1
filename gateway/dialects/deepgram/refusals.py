"""How Deepgram's clients are refused before the socket opens, and how their sockets close."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from gateway.connection.end_reason import EndReason
from shared.errors import BadRequest, NoCapacity, RattilError, Unauthorised
from shared.ids import new_connection_id
from shared.protocol.close_codes import Close

_DONE = Close(1000, "done")
_SERVER = Close(1011, "NET-0000: the service failed; connect again")

CLOSES: Mapping[EndReason, Close] = {
    EndReason.DONE: _DONE,
    EndReason.BAD_REQUEST: Close(1008, "DATA-0000: the client sent what cannot be understood"),
    EndReason.FRAME_TOO_BIG: Close(1009, "DATA-0000: a message is too big"),
    EndReason.DRAINING: Close(1012, "this gateway is going away; connect again"),
    EndReason.SLOW_CONSUMER: Close(1011, "NET-0000: messages were not read in time; connect again"),
    EndReason.IDLE: Close(1011, "NET-0001: no audio for too long; send KeepAlive while there is none"),
    EndReason.STATE_LOST: _SERVER,
    EndReason.BUS_AWAY: _SERVER,
    EndReason.NO_CAPACITY: Close(1013, "no capacity: try again later"),
    EndReason.INTERNAL: _SERVER,
    EndReason.SUPERSEDED: Close(1008, "another connection took this stream"),
    EndReason.UNAUTHORISED: Close(1008, "INVALID_AUTH"),
    EndReason.TOO_LONG: Close(1000, "the stream is as long as it may be"),
}
"""Standard codes; 1011, 1012 and 1013 mean that it helps to connect again."""


def denial(error: RattilError) -> Response:
    """The answer to a request that is refused: Deepgram's body and headers."""
    status, code = _status(error)
    request_id = new_connection_id()
    headers = {"dg-request-id": request_id, "dg-error": error.code}
    if isinstance(error, NoCapacity):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    body = {"err_code": code, "err_msg": error.for_client, "request_id": request_id}
    return JSONResponse(body, status, headers)


def _status(error: RattilError) -> tuple[int, str]:
    if isinstance(error, Unauthorised):
        return 401, "INVALID_AUTH"
    if isinstance(error, BadRequest):
        return 400, "INVALID_QUERY_PARAMETER"
    return (503, "SERVICE_UNAVAILABLE") if error.retryable else (500, "INTERNAL_SERVER_ERROR")
