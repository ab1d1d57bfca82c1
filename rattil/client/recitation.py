"""A recitation as a client sees it (docs/protocol.md): its events, tolerant of fields they do not know."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final as Constant

import msgspec

from rattil.client.dialect import Opening, decoded
from rattil.client.resume import ReconnectPolicy
from rattil.client.session import Listener, Session
from shared.audio.formats import SAMPLE_RATE


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
    model: str = ""


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
    model: str = ""


class Final(msgspec.Struct, frozen=True, tag="final_result"):
    """The end of a recitation that was graded. With `enhance_on_end=true`: the job that hears it once more,
    or why there is none."""

    result: Report
    enhancement_job_id: str = ""
    enhancement_dropped: str = ""


class FinalError(msgspec.Struct, frozen=True, tag="final_result_error"):
    """The end of a recitation that could not be graded as a whole."""

    message: str = ""
    fallback: str = ""
    code: str = ""
    enhancement_job_id: str = ""
    enhancement_dropped: str = ""


class ServerError(msgspec.Struct, frozen=True, tag="error"):
    """Something went wrong; the connection stays open unless a close frame follows."""

    code: str
    message: str = ""
    fallback: str = ""
    seq: int | None = None
    retry_after_s: float | None = None


ServerEvent = Ready | Ack | Partial | Final | FinalError | ServerError
Ended = Final | FinalError

_decoder: Constant[msgspec.json.Decoder[ServerEvent]] = msgspec.json.Decoder(ServerEvent)
_KINDS: Constant = frozenset(
    {"ready", "ack", "partial_result", "final_result", "final_result_error", "error"}
)


def parse_event(message: str | bytes) -> ServerEvent | None:
    """The event, or None for a kind this client does not know. Raises `UnreadableEvent`."""
    return decoded(_decoder, _KINDS, message)


class RecitationDialect:
    """`/ws/recite` for one range of verses. `options`: more of its query, such as ``window``."""

    path = "/ws/recite"
    sample_rate = SAMPLE_RATE
    end = "end"

    def __init__(self, surah: int, ayah: int, to: int | None = None, **options: str) -> None:
        self._query = {"surah": str(surah), "ayah": str(ayah)} | options
        if to is not None:
            self._query["to"] = str(to)

    def query(self) -> dict[str, str]:
        return self._query

    def parse(self, message: str | bytes) -> ServerEvent | None:
        return parse_event(message)

    def opening(self, event: ServerEvent) -> Opening | None:
        if not isinstance(event, Ready):
            return None
        return Opening(event.session_id, event.resumed, event.next_seq, event.offset, event.epoch)

    def acked(self, event: ServerEvent) -> int | None:
        return event.offset if isinstance(event, Ack) else None

    def seq(self, event: ServerEvent) -> int | None:
        return event.seq if isinstance(event, Partial | ServerError) else None

    def retry_after_s(self, event: ServerEvent) -> float | None:
        return event.retry_after_s if isinstance(event, ServerError) else None

    def is_last(self, event: ServerEvent) -> bool:
        return isinstance(event, Final | FinalError)


class Recitation(Session[ServerEvent]):
    """A session of `/ws/recite`: how every word of the verses stands, and the report at the end."""

    def __init__(
        self,
        urls: str | Sequence[str],
        surah: int,
        ayah: int,
        to: int | None = None,
        *,
        token: str = "",
        listener: Listener[ServerEvent] | None = None,
        policy: ReconnectPolicy | None = None,
        rng: Random | None = None,
        **options: str,
    ) -> None:
        """`urls`: one or more gateways, ``ws://host:port``. `token`: an API key, where one is needed."""
        dialect = RecitationDialect(surah, ayah, to, **options)
        super().__init__(dialect, urls, token=token, listener=listener, policy=policy, rng=rng)
