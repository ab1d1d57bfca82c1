"""What a client of the recitation dialect reads (docs/protocol.md): tolerant of fields it does not know."""

from __future__ import annotations

import msgspec


class Gap(msgspec.Struct, frozen=True):
    """Audio whose results are lost, in samples: stated by the server when a session's state was lost."""

    from_offset: int = 0
    to_offset: int = 0


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """First event of every connection: who we are, which words are expected, from where to send."""

    session_id: str
    words: tuple[str | WordInfo, ...] = ()
    verse_key: str = ""
    connection_id: str = ""
    epoch: str = ""
    resumed: bool = False
    next_seq: int = 0
    offset: int = 0
    window_seconds: float = 0.0
    gap: Gap | None = None


class WordInfo(msgspec.Struct, frozen=True):
    """One reference word as `ready` and `GET /verses` describe it."""

    text: str = ""
    word: str = ""
    verse_key: str = ""


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Audio before `offset` (samples) is safe."""

    offset: int


class WordState(msgspec.Struct, frozen=True):
    """The state of one reference word. Times in seconds from the start of the session."""

    word: str
    status: str
    final: bool = False
    index: int = -1
    verse_key: str = ""
    confidence: float | None = None
    heard: str | None = None
    start_time: float | None = None
    end_time: float | None = None


class Latency(msgspec.Struct, frozen=True):
    """Where the time of one window went, ms."""

    buffer_ms: float = 0
    queued_ms: float = 0
    inference_ms: float = 0
    total_ms: float = 0


class Partial(msgspec.Struct, frozen=True, tag="partial_result"):
    """The state of all words after one more window of audio."""

    seq: int
    word_feedback: tuple[WordState, ...]
    partial_transcript: str = ""
    latency_ms: Latency = Latency()
    server_busy: bool = False


class WordVerdict(msgspec.Struct, frozen=True):
    """One word of the final report."""

    word: str
    status: str
    confidence: float | None = None
    feedback: str | None = None
    start_time: float | None = None
    end_time: float | None = None
    index: int = -1
    verse_key: str = ""
    heard: str | None = None
    expected: str | None = None


class Report(msgspec.Struct, frozen=True):
    """The final report, as far as a client shows it; `POST /verify` has the same shape."""

    word_analysis: tuple[WordVerdict, ...]
    accuracy_score: float | None = None
    transcribed_text: str = ""
    wer: float | None = None
    cer: float | None = None
    extra_words: tuple[str, ...] = ()
    tajweed_score: float | None = None
    tajweed_feedback: str | None = None
    confidence_level: str | None = None
    confidence_score: float | None = None
    teacher_feedback_text: str | None = None
    timing_data: tuple[dict[str, object], ...] = ()
    timing_ms: dict[str, int] = {}
    counts: dict[str, int] = {}
    coverage: float | None = None
    verse_range: str = ""


class Final(msgspec.Struct, frozen=True, tag="final_result"):
    """The end of a recitation that was graded."""

    result: Report


class FinalError(msgspec.Struct, frozen=True, tag="final_result_error"):
    """The end of a recitation that could not be graded as a whole."""

    message: str = ""
    fallback: str = ""
    code: str = ""


class ServerError(msgspec.Struct, frozen=True, tag="error"):
    """Something went wrong; the connection stays open unless a close frame follows."""

    code: str
    message: str = ""
    fallback: str = ""
    seq: int | None = None
    retry_after_s: float | None = None


ServerEvent = Ready | Ack | Partial | Final | FinalError | ServerError

_decoder = msgspec.json.Decoder(Ready | Ack | Partial | Final | FinalError | ServerError)


def parse_event(text: str | bytes) -> ServerEvent | None:
    """The event, or None for a kind this client does not know (newer servers may send more)."""
    try:
        event: ServerEvent = _decoder.decode(text)
    except msgspec.ValidationError as error:
        if _kind(text) in _KNOWN:
            raise UnreadableEvent(f"the server sent something this client cannot read: {error}") from error
        return None
    except msgspec.DecodeError as error:
        raise UnreadableEvent(f"the server sent something that is not JSON: {error}") from error
    return event


class UnreadableEvent(Exception):
    """The peer does not speak this dialect."""


class _Tag(msgspec.Struct):
    type: str = ""


_KNOWN = {"ready", "ack", "partial_result", "final_result", "final_result_error", "error"}


def _kind(text: str | bytes) -> str:
    try:
        return msgspec.json.decode(text, type=_Tag).type
    except msgspec.ValidationError:
        return ""
