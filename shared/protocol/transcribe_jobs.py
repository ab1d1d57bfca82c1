"""Batch jobs that transcribe a whole recording; they wait in the same queue as `shared.protocol.jobs`.

The gateway enqueues `TRANSCRIBE` on `JOB_QUEUE` with one argument, `encode(TranscribeUpload)`. The job
returns `TranscribeReply` as bytes, also for expected failures.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest, RattilError
from shared.ids import TraceId
from shared.protocol.jobs import JOBS_VERSION, job_error
from shared.protocol.segments import TaskOptions
from shared.transcription.recording import Stretch

TRANSCRIBE = "transcribe"
"""The job function: a whole recording to text."""

TRANSCRIBE_S_PER_AUDIO_S = 1.0
"""How much longer a job may take for each second of audio: no model should be slower than speech."""


class TranscribeUpload(msgspec.Struct, frozen=True, tag="upload"):
    """Transcribe PCM16 mono 16 kHz bytes under `keys.upload(upload_id)`.

    An empty `options.language` means: find out. `follow`: tell every stretch under `keys.upload_heard` as
    soon as it is heard.
    """

    upload_id: str
    samples: int
    options: TaskOptions = TaskOptions()
    follow: bool = False
    trace_id: TraceId = TraceId("")
    v: int = JOBS_VERSION


class TranscribeReply(msgspec.Struct, frozen=True):
    """What the job returns: every stretch in order, or `code`, which names why there is no transcript."""

    stretches: tuple[Stretch, ...] = ()
    code: str = ""
    message: str = ""
    v: int = JOBS_VERSION

    def error(self) -> RattilError | None:
        """The failure as an exception of the shared tree, None when there is a transcript."""
        return job_error(self.code, self.message) if self.code else None


_MessageT = TypeVar("_MessageT", TranscribeUpload, TranscribeReply, Stretch)


def transcribe_time_s(base_s: float, samples: int) -> float:
    """How long a job may take, seconds: `base_s`, and more for long audio."""
    return base_s + TRANSCRIBE_S_PER_AUDIO_S * samples / SAMPLE_RATE


def transcribe_job_id(upload_id: str) -> str:
    return f"transcribe-{upload_id}"


def encode(message: TranscribeUpload | TranscribeReply | Stretch) -> bytes:
    return msgspec.msgpack.encode(message)


def decode(data: object, kind: type[_MessageT]) -> _MessageT:
    """Raises `BadRequest` for what is no such message, or comes from another version."""
    if not isinstance(data, bytes):
        raise BadRequest("not a message of a transcribe job; gateway and worker versions differ?")
    try:
        message = msgspec.msgpack.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise BadRequest(
            f"not a message of a transcribe job: {error}; gateway and worker versions differ?"
        ) from error
    version = getattr(message, "v", JOBS_VERSION)
    if version != JOBS_VERSION:
        raise BadRequest(f"a transcribe job has version {version}, here is {JOBS_VERSION}")
    return message
