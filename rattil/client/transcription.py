"""A live transcription as a client sees it (docs/clients/transcriptions.md)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from rattil.client.dialect import Opening, decoded
from rattil.client.resume import ReconnectPolicy
from rattil.client.session import Listener, Session
from shared.audio.formats import SAMPLE_RATE


class Gap(msgspec.Struct, frozen=True):
    """Audio whose results are lost, in samples."""

    from_sample: int = 0
    to_sample: int = 0


class SessionBegin(msgspec.Struct, frozen=True, tag="session.begin"):
    """First event of every connection: from where to send."""

    session_id: str
    language: str = ""
    model: str = ""
    sample_rate: int = SAMPLE_RATE
    resumed: bool = False
    next_seq: int = 0
    offset: int = 0
    gap: Gap | None = None


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Audio before `offset` (samples) is safe."""

    offset: int


class SpeechStart(msgspec.Struct, frozen=True, tag="vad.speech_start"):
    """Somebody begins to speak at this second of the session."""

    at: float


class SpeechEnd(msgspec.Struct, frozen=True, tag="vad.speech_end"):
    """Somebody stops."""

    at: float


class Word(msgspec.Struct, frozen=True):
    """One word; times in seconds, null if not known."""

    word: str
    start: float | None = None
    end: float | None = None
    confidence: float | None = None


class TranscriptPartial(msgspec.Struct, frozen=True, tag="transcript.partial"):
    """An utterance so far; `stable_text` begins `text` and never changes. Times in seconds."""

    seq: int
    utterance: int
    text: str
    stable_text: str = ""
    start: float = 0.0
    end: float = 0.0


class TranscriptFinal(msgspec.Struct, frozen=True, tag="transcript.final"):
    """An utterance has ended: it never changes."""

    seq: int
    utterance: int
    text: str
    start: float = 0.0
    end: float = 0.0
    words: tuple[Word, ...] = ()


class Warned(msgspec.Struct, frozen=True, tag="warning"):
    """The session goes on."""

    code: str
    message: str = ""
    gap: Gap | None = None


class ServerError(msgspec.Struct, frozen=True, tag="error"):
    """A part failed (`seq`), or the connection ends now."""

    code: str
    message: str = ""
    seq: int | None = None
    retry_after_s: float | None = None


class SessionEnd(msgspec.Struct, frozen=True, tag="session.end"):
    """Everything is answered. `enhancement_job_id`: with `enhance_on_end=true`, the job that hears it once
    more."""

    transcript: str = ""
    enhancement_job_id: str = ""


ServerEvent = (
    SessionBegin
    | Ack
    | SpeechStart
    | SpeechEnd
    | TranscriptPartial
    | TranscriptFinal
    | Warned
    | ServerError
    | SessionEnd
)

_decoder: Final[msgspec.json.Decoder[ServerEvent]] = msgspec.json.Decoder(ServerEvent)
_KINDS: Final = frozenset(
    {
        "session.begin",
        "ack",
        "vad.speech_start",
        "vad.speech_end",
        "transcript.partial",
        "transcript.final",
        "warning",
        "error",
        "session.end",
    }
)


class TranscriptionDialect:
    """`/v1/audio/transcriptions/stream`. `options`: its query, such as ``word_timestamps="true"``."""

    path = "/v1/audio/transcriptions/stream"
    end = '{"type":"end"}'

    def __init__(self, language: str, sample_rate: int = SAMPLE_RATE, **options: str) -> None:
        self._sample_rate = sample_rate
        self._query = {"language": language, "sample_rate": str(sample_rate)} | options

    @property
    def sample_rate(self) -> int:
        return self._sample_rate

    def query(self) -> dict[str, str]:
        return self._query

    def parse(self, message: str | bytes) -> ServerEvent | None:
        return decoded(_decoder, _KINDS, message)

    def opening(self, event: ServerEvent) -> Opening | None:
        if not isinstance(event, SessionBegin):
            return None
        return Opening(event.session_id, event.resumed, event.next_seq, event.offset)

    def acked(self, event: ServerEvent) -> int | None:
        return event.offset if isinstance(event, Ack) else None

    def seq(self, event: ServerEvent) -> int | None:
        numbered = TranscriptPartial | TranscriptFinal | ServerError
        return event.seq if isinstance(event, numbered) else None

    def retry_after_s(self, event: ServerEvent) -> float | None:
        return event.retry_after_s if isinstance(event, ServerError) else None

    def is_last(self, event: ServerEvent) -> bool:
        return isinstance(event, SessionEnd)


class Transcription(Session[ServerEvent]):
    """A session of `/v1/audio/transcriptions/stream`: utterances while they are spoken."""

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        language: str = "en",
        sample_rate: int = SAMPLE_RATE,
        token: str = "",
        listener: Listener[ServerEvent] | None = None,
        policy: ReconnectPolicy | None = None,
        rng: Random | None = None,
        **options: str,
    ) -> None:
        """`urls`: one or more gateways, ``ws://host:port``. Audio is PCM16 mono at `sample_rate`."""
        dialect = TranscriptionDialect(language, sample_rate, **options)
        super().__init__(dialect, urls, token=token, listener=listener, policy=policy, rng=rng)
