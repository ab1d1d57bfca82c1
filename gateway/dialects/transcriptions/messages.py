"""What the transcription dialect says to its clients: one JSON object per text frame, `type` says which.

Times are in seconds of the session's audio; `offset`, `from_sample` and `to_sample` in samples. `channel`:
which one it is about, from 0 on, with `multichannel=true`; each one is a session of its own.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from gateway.description.codes import ErrorCode, WarningCode
from gateway.dialects.seconds import seconds
from shared.hearing import HeardWord


class GapInfo(msgspec.Struct, frozen=True):
    """Audio [from_sample, to_sample) whose results are lost."""

    from_sample: int
    to_sample: int


class SessionBegin(msgspec.Struct, frozen=True, tag="session.begin"):
    """The session is open: send audio from sample `offset` on. `model` transcribes it.

    To resume, come back with `session_id`, the last `seq` that was seen and the last `offset` that was
    acknowledged."""

    session_id: str
    language: str
    model: str
    sample_rate: int
    resumed: bool
    next_seq: int
    offset: int
    gap: GapInfo | UnsetType = UNSET
    channel: int | UnsetType = UNSET


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Audio before this sample is stored and will be answered."""

    offset: int
    channel: int | UnsetType = UNSET


class SpeechStart(msgspec.Struct, frozen=True, tag="vad.speech_start"):
    """Somebody begins to speak."""

    at: float
    channel: int | UnsetType = UNSET


class SpeechEnd(msgspec.Struct, frozen=True, tag="vad.speech_end"):
    """The speech ended here."""

    at: float
    channel: int | UnsetType = UNSET


class TranscriptPartial(msgspec.Struct, frozen=True, tag="transcript.partial"):
    """An utterance so far. `stable_text` begins `text` and never changes; the rest may."""

    seq: int
    utterance: int
    text: str
    stable_text: str
    start: float
    end: float
    channel: int | UnsetType = UNSET


class TranscriptWord(msgspec.Struct, frozen=True):
    """One word of a final transcript; times are null where the model gives none."""

    word: str
    start: float | None
    end: float | None
    confidence: float


class TranscriptFinal(msgspec.Struct, frozen=True, tag="transcript.final"):
    """An utterance that has ended: its text never changes. `words`: if `word_timestamps=true` was asked."""

    seq: int
    utterance: int
    text: str
    start: float
    end: float
    words: tuple[TranscriptWord, ...] | UnsetType = UNSET
    channel: int | UnsetType = UNSET


class Warning(msgspec.Struct, frozen=True, tag="warning"):
    """Something the client should know; the session goes on."""

    code: WarningCode
    message: str
    gap: GapInfo | UnsetType = UNSET
    channel: int | UnsetType = UNSET


class Error(msgspec.Struct, frozen=True, tag="error"):
    """A part of the audio failed (`seq`), or the connection ends after this."""

    code: ErrorCode
    message: str
    seq: int | UnsetType = UNSET
    retry_after_s: float | UnsetType = UNSET
    channel: int | UnsetType = UNSET


class SessionEnd(msgspec.Struct, frozen=True, tag="session.end"):
    """Everything is answered; the connection closes with 1000 after this.

    `enhancement_job_id`: with `enhance_on_end=true`, what `GET /v1/audio/transcriptions/{job_id}` takes."""

    transcript: str
    enhancement_job_id: str | UnsetType = UNSET
    channel: int | UnsetType = UNSET


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to a ping."""


ServerMessage = (
    SessionBegin
    | Ack
    | SpeechStart
    | SpeechEnd
    | TranscriptPartial
    | TranscriptFinal
    | Warning
    | Error
    | SessionEnd
    | Pong
)

_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    return _encoder.encode(message).decode()


def transcript_word(word: HeardWord) -> TranscriptWord:
    return TranscriptWord(word.text, seconds(word.start_ms), seconds(word.end_ms), round(word.confidence, 3))
