"""What stands in the store for one enhancement job, and the job's message. Pure.

The store is the truth, the queue only the way to a worker. One job has a folder `<job_id>/`:

* `audio.wav`: the session's audio, PCM16 mono 16 kHz; written first, deleted once there is an outcome;
* `order.json`: what is asked for; once it stands there the job is accepted;
* `outcome.json`: the transcript, or why there is none.
"""

from __future__ import annotations

import io
import re
import secrets
import wave
from typing import TypeVar

import msgspec

from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadAudio, StateLost
from shared.protocol.jobs import JOBS_VERSION
from shared.protocol.segments import TaskOptions
from shared.recitation.report.report import VerifyReport
from shared.transcription.recording import Stretch

ENHANCE = "enhance"
"""The job function of arq. Its one argument is `encode(EnhanceJob)`."""

JOB_ID_PATTERN = "enh_[0-9a-f]{32}"
ORDER, AUDIO, OUTCOME = "order.json", "audio.wav", "outcome.json"
SESSIONS = "sessions"
"""The folder that says which job a session has, so that a client that comes back gets the same one."""


class EnhanceJob(msgspec.Struct, frozen=True):
    """Transcribe the audio of this job; `samples` of 16 kHz. `judged`: as a recitation, too, for which it has
    more time."""

    job_id: str
    samples: int
    v: int = JOBS_VERSION
    judged: bool = False


class Order(msgspec.Struct, frozen=True):
    """What is asked for. `pool`: whose model transcribes. `created_ms`: since 1970. `passage`: the verses
    that were recited, as `1:1-7`; empty if it was no recitation."""

    job_id: str
    tenant: str
    pool: str
    samples: int
    created_ms: int
    options: TaskOptions
    v: int = JOBS_VERSION
    passage: str = ""

    @property
    def job(self) -> EnhanceJob:
        """The message to a worker."""
        return EnhanceJob(self.job_id, self.samples, judged=bool(self.passage))


class Outcome(msgspec.Struct, frozen=True):
    """The transcript, or `code` and `message`, which say why there is none. `ended_ms`: since 1970. `report`:
    of a recitation, as `POST /verify` gives it."""

    ended_ms: int
    stretches: tuple[Stretch, ...] = ()
    model: str = ""
    code: str = ""
    message: str = ""
    v: int = JOBS_VERSION
    report: VerifyReport | None = None


_RecordT = TypeVar("_RecordT", Order, Outcome, EnhanceJob)


def new_job_id() -> str:
    """128 random bits: whoever was not told an id cannot guess it."""
    return f"enh_{secrets.token_hex(16)}"


def is_job_id(text: str) -> bool:
    return re.fullmatch(JOB_ID_PATTERN, text) is not None


def path(job_id: str, name: str) -> str:
    return f"{job_id}/{name}"


def encode(record: Order | Outcome | EnhanceJob) -> bytes:
    return msgspec.json.encode(record)


def decode(data: bytes, kind: type[_RecordT]) -> _RecordT:
    """Raises `StateLost` for what is no such record, or comes from another version."""
    try:
        record = msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise StateLost(f"a record of an enhancement job cannot be read ({error})") from error
    if record.v != JOBS_VERSION:
        raise StateLost(f"a record of an enhancement job has version {record.v}, here is {JOBS_VERSION}")
    return record


def to_wav(pcm16: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(pcm16)
    return file.getvalue()


def from_wav(data: bytes) -> bytes:
    """The samples. Raises `BadAudio` for anything but what `to_wav` writes."""
    try:
        with wave.open(io.BytesIO(data), "rb") as kept:
            if (kept.getnchannels(), kept.getsampwidth(), kept.getframerate()) != (1, 2, SAMPLE_RATE):
                raise BadAudio("the kept recording is not PCM16 mono 16 kHz")
            return kept.readframes(kept.getnframes())
    except (wave.Error, EOFError) as error:
        raise BadAudio(f"the kept recording is damaged ({error})") from error
