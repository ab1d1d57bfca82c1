"""Batch jobs between gateway and worker: verify a whole recording (arq, on the control Redis).

The gateway enqueues `VERIFY` on `JOB_QUEUE` with one argument, `encode_request(request)`, using
`dump_job`/`load_job` as arq's serializer pair (MessagePack; pickle would run code from Redis). The
job returns `VerifyReply` as bytes, also for expected failures, so that arq never needs to carry an exception.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shared.errors import (
    BadAudio,
    BadRequest,
    DecodeFailed,
    RattilError,
    StateLost,
    Unavailable,
    UnknownVerse,
)
from shared.ids import Epoch, SessionId, TraceId

JOB_QUEUE = "asr:jobs"
"""arq's queue name (a sorted set on the control Redis)."""

VERIFY = "verify"
"""The one job function: a whole recording against a passage."""

MAX_RECORDING_S = 1200
"""Longest recording one job accepts, seconds; 20 min of PCM16 are 38 MB in Redis for a moment."""

JOBS_VERSION = 1


class VerifySession(msgspec.Struct, frozen=True, tag="session"):
    """Verify the stored audio of a live or just ended session, from its first sample."""

    session_id: SessionId
    passage: str
    trace_id: TraceId = TraceId("")
    language: str = "ar"
    v: int = JOBS_VERSION


class VerifyUpload(msgspec.Struct, frozen=True, tag="upload"):
    """Verify an uploaded recording: PCM16 mono 16 kHz bytes under `keys.upload(upload_id)`."""

    upload_id: str
    passage: str
    trace_id: TraceId = TraceId("")
    language: str = "ar"
    v: int = JOBS_VERSION


VerifyRequest = VerifySession | VerifyUpload


class VerifyReply(msgspec.Struct, frozen=True):
    """What the job returns. `report`: MessagePack of `shared.recitation.report.report.VerifyReport`, or
    empty when `code` names why there is none."""

    report: bytes = b""
    code: str = ""
    message: str = ""
    v: int = JOBS_VERSION

    def error(self) -> RattilError | None:
        """The failure as an exception of the shared tree, None when there is a report."""
        if not self.code:
            return None
        return _ERRORS.get(self.code, RattilError)(self.message)


_ERRORS: dict[str, type[RattilError]] = {
    kind.code: kind for kind in (BadAudio, BadRequest, DecodeFailed, StateLost, Unavailable, UnknownVerse)
}

_request_decoder = msgspec.msgpack.Decoder(VerifySession | VerifyUpload)
_reply_decoder = msgspec.msgpack.Decoder(VerifyReply)


def session_job_id(session_id: SessionId, epoch: Epoch) -> str:
    """Deterministic, so that two gateways that finish the same session share one job."""
    return f"verify-{session_id}-{epoch}"


def upload_job_id(upload_id: str) -> str:
    return f"verify-upload-{upload_id}"


def encode_request(request: VerifyRequest) -> bytes:
    return msgspec.msgpack.encode(request)


def decode_request(data: bytes) -> VerifyRequest:
    """Raises `BadRequest` for anything that is not a known request of this version."""
    try:
        request: VerifyRequest = _request_decoder.decode(data)
    except (msgspec.DecodeError, TypeError) as error:
        raise BadRequest(f"not a verify request: {error}; gateway and worker versions differ?") from error
    if request.v != JOBS_VERSION:
        raise BadRequest(f"verify request has version {request.v}, this worker speaks {JOBS_VERSION}")
    return request


def encode_reply(reply: VerifyReply) -> bytes:
    return msgspec.msgpack.encode(reply)


def decode_reply(data: object) -> VerifyReply:
    """Raises `BadRequest` when a job of another version (or of somebody else) answered."""
    if not isinstance(data, bytes):
        raise BadRequest("the job's result is not a verify reply; gateway and worker versions differ?")
    try:
        return _reply_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadRequest(f"not a verify reply: {error}; gateway and worker versions differ?") from error


def dump_job(job: dict[str, Any]) -> bytes:
    """arq's `job_serializer`: MessagePack, an exception as its class name and text."""
    return msgspec.msgpack.encode(job, enc_hook=_describe)


def load_job(data: bytes) -> dict[str, Any]:
    """arq's `job_deserializer`; a failed job's result comes back as an exception to raise."""
    job: dict[str, Any] = msgspec.msgpack.decode(data, type=dict[str, Any])
    failed = job.get("s") is False
    if failed and not isinstance(job.get("r"), Exception):
        job["r"] = DecodeFailed(f"the verify job failed: {job.get('r')}")
    return job


def _describe(value: object) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    raise NotImplementedError(f"{type(value).__name__} cannot travel in a job")
