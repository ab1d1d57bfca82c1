"""Batch jobs between gateway and worker (arq, on the control Redis), and the one that verifies a recording.

The gateway enqueues `VERIFY` on the queue of the pool whose model should judge (`job_queue`), or on
`JOB_QUEUE` where no worker of such a pool takes jobs; every worker reads the queue of its own pool and
`JOB_QUEUE`. The one argument is `encode_request(request)`; `dump_job`/`load_job` are arq's serializer pair
(MessagePack; pickle would run code from Redis). The job returns `VerifyReply` as bytes, also for expected
failures, so that arq never needs to carry an exception.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from shared.audio.formats import SAMPLE_RATE
from shared.errors import (
    AudioLost,
    BadAudio,
    BadRequest,
    DecodeFailed,
    RattilError,
    StateLost,
    Unavailable,
    UnknownVerse,
)
from shared.ids import Epoch, PoolName, SessionId, TraceId

JOB_QUEUE = "asr:jobs"
"""arq's queue name (a sorted set on the control Redis) of jobs that any worker may run."""

VERIFY = "verify"
"""The job function: a whole recording against a passage."""

MAX_RECORDING_S = 7200
"""Longest recording one job accepts, seconds, and so the longest session; two hours of PCM16 are 230 MB."""

JOB_S_PER_AUDIO_S = 0.25
"""How much longer a job may take for each second of audio: an hour takes about 90 s on two cores, and
several jobs share an engine with live segments, which go first."""

JOBS_VERSION = 1


class VerifySession(msgspec.Struct, frozen=True, tag="session"):
    """Verify the stored audio of a live or just ended session, from its first sample.

    `samples`: how many were stored; fewer are a loss (0: written by a build that does not say).
    """

    session_id: SessionId
    passage: str
    trace_id: TraceId = TraceId("")
    language: str = "ar"
    v: int = JOBS_VERSION
    samples: int = 0


class VerifyUpload(msgspec.Struct, frozen=True, tag="upload"):
    """Verify an uploaded recording: PCM16 mono 16 kHz bytes under `keys.upload(upload_id)`."""

    upload_id: str
    passage: str
    trace_id: TraceId = TraceId("")
    language: str = "ar"
    v: int = JOBS_VERSION
    samples: int = 0


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
        return job_error(self.code, self.message) if self.code else None


_ERRORS: dict[str, type[RattilError]] = {
    kind.code: kind
    for kind in (AudioLost, BadAudio, BadRequest, DecodeFailed, StateLost, Unavailable, UnknownVerse)
}


def job_error(code: str, message: str) -> RattilError:
    """What a job's reply names, as an exception of the shared tree."""
    return _ERRORS.get(code, RattilError)(message)


_request_decoder = msgspec.msgpack.Decoder(VerifySession | VerifyUpload)
_reply_decoder = msgspec.msgpack.Decoder(VerifyReply)


def job_time_s(base_s: float, samples: int) -> float:
    """How long a job may take, seconds: `base_s`, and more for long audio (0 samples: nobody knows)."""
    audio_s = samples / SAMPLE_RATE if samples else MAX_RECORDING_S
    return base_s + JOB_S_PER_AUDIO_S * audio_s


def job_queue(pool: PoolName) -> str:
    """arq's queue name of the jobs that only workers of this pool run."""
    return f"asr:pool_jobs:{pool}"


def session_job_id(session_id: SessionId, epoch: Epoch) -> str:
    """Deterministic, so that two gateways that finish the same session share one job.

    A hash: workers log job ids, and whoever knows a session's id may resume the session.
    """
    digest = hashlib.sha256(f"{session_id} {epoch}".encode()).hexdigest()
    return f"verify-{digest[:32]}"


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
