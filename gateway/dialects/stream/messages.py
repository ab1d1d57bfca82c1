"""What the server of `/ws/stream` says: JSON text, `{type, data, timestamp}`.

Times in `data` are seconds of the session's audio; `offset`s are samples of it, at 16 kHz. The `timestamp`
of a message is when it was written, seconds since 1970.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from gateway.description.codes import AdviceCode, ErrorCode
from gateway.dialects.recite.messages import GapInfo, LatencyInfo, WordEntry
from shared.recitation.live.audio_quality import AudioQuality
from shared.recitation.report.report import ReportNotice, VerifyReport


class ReadyData(msgspec.Struct, frozen=True):
    """`offset`: the sample to send from. `next_seq`: seq of the next result. `window_seconds`,
    `overlap_seconds`: of the longest windows. `ping_seconds`: how often the client is asked whether it is
    there; it has `pong_seconds` to answer."""

    version: str
    session_id: str
    connection_id: str
    passage: str
    words: tuple[str, ...]
    model: str
    window_seconds: float
    overlap_seconds: float
    ping_seconds: float
    pong_seconds: float
    max_session_seconds: float
    epoch: str
    resumed: bool
    next_seq: int
    offset: int
    gap: GapInfo | UnsetType = UNSET


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The first message of every connection."""

    data: ReadyData
    timestamp: float


class AckData(msgspec.Struct, frozen=True):
    """`offset`: audio before this sample need not be kept."""

    offset: int


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Audio is stored and will be answered."""

    data: AckData
    timestamp: float


class SpeechData(msgspec.Struct, frozen=True):
    """`speaking`: whether a voice begins or ends at `at`."""

    speaking: bool
    at: float


class Speech(msgspec.Struct, frozen=True, tag="speech"):
    """A voice begins or ends. What is no speech is not judged."""

    data: SpeechData
    timestamp: float


class Phoneme(msgspec.Struct, frozen=True):
    """One sound that was heard (IPA). `confidence` 0-1."""

    phoneme: str
    start_time: float
    end_time: float
    confidence: float


class Word(WordEntry, frozen=True, kw_only=True):
    """How a word of the passage stands. `heard`, `expected`: sounds (IPA). What is not known is null."""

    expected: str | None


class ResultData(msgspec.Struct, frozen=True):
    """`start_time`, `end_time`: of the window. `final`: nothing that comes later hears this window again.
    `transcript`: of the session so far. `phonemes`: of this window. `words`: those that stand otherwise than
    before. `pointer`: index of the word expected next."""

    seq: int
    final: bool
    start_time: float
    end_time: float
    transcript: str
    phonemes: tuple[Phoneme, ...]
    words: tuple[Word, ...]
    pointer: int
    server_busy: bool
    latency_ms: LatencyInfo
    audio_quality: AudioQuality
    notice: ReportNotice | UnsetType = UNSET


class Result(msgspec.Struct, frozen=True, tag="result"):
    """A window was heard: at least one each second while somebody speaks."""

    data: ResultData
    timestamp: float


class ViolationData(msgspec.Struct, frozen=True):
    """`violation`: the word, with the kind of mistake as its status. `timestamp`: when the word was said; for
    one that was left out, when the next word that was said begins; null where neither is known. `feedback`: a
    sentence for the reciter."""

    violation: Word
    timestamp: float | None
    feedback: str


class Violation(msgspec.Struct, frozen=True, tag="violation"):
    """A mistake is certain. Told once, in the moment when it is."""

    data: ViolationData
    timestamp: float


class Correction(msgspec.Struct, frozen=True, tag="correction"):
    """The reciter has said a word again, and better: it stands in `violation` as it is now."""

    data: ViolationData
    timestamp: float


class ScoreData(msgspec.Struct, frozen=True):
    """`report`: as `POST /verify` answers. With `enhance_on_end=true`: `enhancement_job_id`, which
    `GET /v1/audio/transcriptions/{job_id}` takes, or `enhancement_dropped`, why there is no such job."""

    report: VerifyReport
    enhancement_job_id: str | UnsetType = UNSET
    enhancement_dropped: str | UnsetType = UNSET


class Score(msgspec.Struct, frozen=True, tag="score"):
    """The report on the whole recitation; the connection closes after it."""

    data: ScoreData
    timestamp: float


class ErrorData(msgspec.Struct, frozen=True):
    """With `seq` it is the outcome of that window, and the session goes on."""

    code: ErrorCode
    message: str
    seq: int | UnsetType = UNSET
    retry_after_s: float | UnsetType = UNSET
    gap: GapInfo | UnsetType = UNSET


class Error(msgspec.Struct, frozen=True, tag="error"):
    """Something went wrong. The connection stays open unless a close follows."""

    data: ErrorData
    timestamp: float


class NoScoreData(msgspec.Struct, frozen=True):
    """Why there is no report. The rest as in `score`."""

    code: ErrorCode
    message: str
    enhancement_job_id: str | UnsetType = UNSET
    enhancement_dropped: str | UnsetType = UNSET


class ScoreError(msgspec.Struct, frozen=True, tag="score_error"):
    """There is no report; the connection closes after it."""

    data: NoScoreData
    timestamp: float


class NoticeData(msgspec.Struct, frozen=True):
    """A code, and a sentence for the reciter."""

    code: AdviceCode
    message: str


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Something about the sound that the reciter can mend; the session goes on."""

    data: NoticeData
    timestamp: float


class Nothing(msgspec.Struct, frozen=True):
    """No more than the type says."""


class Flushed(msgspec.Struct, frozen=True, tag="flushed"):
    """All that came before `flush` has been answered."""

    data: Nothing
    timestamp: float


class PingMessage(msgspec.Struct, frozen=True, tag="ping"):
    """Is the client there? Answer with `pong`."""

    data: Nothing
    timestamp: float


class PongMessage(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to `ping`."""

    data: Nothing
    timestamp: float


ServerMessage = (
    Ready
    | Ack
    | Speech
    | Result
    | Violation
    | Correction
    | Score
    | ScoreError
    | Error
    | Notice
    | Flushed
    | PingMessage
    | PongMessage
)

_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    """As it travels."""
    return _encoder.encode(message).decode()
