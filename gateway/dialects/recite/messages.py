"""Events of the recitation dialect, as JSON to clients (docs/protocol.md)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from gateway.description.codes import AdviceCode, ErrorCode
from gateway.session.events import Gap, Latency
from shared.recitation.live.audio_quality import GOOD, AudioQuality
from shared.recitation.live.feedback import WordStatus
from shared.recitation.report.report import ReportNotice, VerifyReport


class GapInfo(msgspec.Struct, frozen=True):
    """Audio [from_offset, to_offset), in samples, whose results are lost."""

    from_offset: int
    to_offset: int


class ReadyEvent(msgspec.Struct, frozen=True, tag="ready"):
    """First event. `offset`: the sample to send from. `next_seq`: seq of the next event.
    `max_session_seconds`: how much audio the session may have; at it the report comes by itself.
    `model`: the name of the model that hears the session, or of its pool."""

    session_id: str
    connection_id: str
    verse_key: str
    passage: str
    words: tuple[str, ...]
    window_seconds: float
    epoch: str
    resumed: bool
    next_seq: int
    offset: int
    gap: GapInfo | UnsetType = UNSET
    max_session_seconds: float = 0.0
    model: str = "default"


class AckEvent(msgspec.Struct, frozen=True, tag="ack"):
    """Audio before `offset` (samples) is safe: it need not be sent again."""

    offset: int


class WordEntry(msgspec.Struct, frozen=True):
    """One reference word. Times in seconds from the start of the session, null until heard."""

    word: str
    status: WordStatus
    final: bool
    index: int
    verse_key: str
    confidence: float | None
    start_time: float | None
    end_time: float | None
    heard: str | None


class LatencyInfo(msgspec.Struct, frozen=True):
    """Where one window's time went, ms."""

    buffer_ms: int
    queued_ms: int
    inference_ms: int
    total_ms: int


def gap_info(gap: Gap | None) -> GapInfo | UnsetType:
    """As a message holds it."""
    return UNSET if gap is None else GapInfo(gap.from_sample, gap.to_sample)


def latency_info(latency: Latency) -> LatencyInfo:
    """As a message holds it."""
    return LatencyInfo(latency.buffer_ms, latency.queued_ms, latency.inference_ms, latency.total_ms)


class PartialResultEvent(msgspec.Struct, frozen=True, tag="partial_result"):
    """One segment was heard; `word_feedback` has one entry per reference word, always.

    Most entries are as they were, so a writer may give the list as it encoded it before.
    `pointer`: index of the word expected next; the number of words once all are recited.
    """

    seq: int
    partial_transcript: str
    word_feedback: tuple[WordEntry, ...] | msgspec.Raw
    latency_ms: LatencyInfo
    server_busy: bool
    pointer: int
    notice: ReportNotice | UnsetType = UNSET
    audio_quality: AudioQuality = GOOD


class FinalResultEvent(msgspec.Struct, frozen=True, tag="final_result"):
    """The report on the whole recitation, in the shape of `POST /verify`; `peeked`: indexes of the words
    that the reciter looked at, absent if none. With `enhance_on_end=true`: `enhancement_job_id`, which
    `GET /v1/audio/transcriptions/{job_id}` takes, or `enhancement_dropped`, why there is no such job."""

    result: VerifyReport
    peeked: tuple[int, ...] | UnsetType = UNSET
    enhancement_job_id: str | UnsetType = UNSET
    enhancement_dropped: str | UnsetType = UNSET


class FinalResultErrorEvent(msgspec.Struct, frozen=True, tag="final_result_error"):
    """There is no final report; `fallback` says what to do instead. The rest as in `final_result`."""

    message: str
    fallback: str
    code: ErrorCode
    enhancement_job_id: str | UnsetType = UNSET
    enhancement_dropped: str | UnsetType = UNSET


class ErrorEvent(msgspec.Struct, frozen=True, tag="error"):
    """Something went wrong. With `seq` it is the outcome of that segment; the session goes on."""

    code: ErrorCode
    message: str
    fallback: str
    seq: int | UnsetType = UNSET
    retry_after_s: float | UnsetType = UNSET
    gap: GapInfo | UnsetType = UNSET


class NoticeEvent(msgspec.Struct, frozen=True, tag="notice"):
    """Something about the sound that the reciter can mend; the session goes on."""

    code: AdviceCode
    message: str


class PongEvent(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to `ping`."""


ServerEvent = (
    ReadyEvent
    | AckEvent
    | PartialResultEvent
    | FinalResultEvent
    | FinalResultErrorEvent
    | ErrorEvent
    | NoticeEvent
    | PongEvent
)

_encoder = msgspec.json.Encoder()


def encode_event(event: ServerEvent) -> str:
    """The event as one JSON text frame."""
    return _encoder.encode(event).decode()
