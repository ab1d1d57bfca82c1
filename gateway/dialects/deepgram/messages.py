"""What Deepgram's clients are told: one JSON object per text frame. Times are in seconds of the session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from gateway.description.schemas import SCHEMAS

SCHEMA_ERROR = "SchemaError"
"""Deepgram's own code for a text that it does not understand."""

Variant = Annotated[
    str,
    msgspec.Meta(extra_json_schema={"anyOf": [{"const": SCHEMA_ERROR}, {"$ref": f"{SCHEMAS}ErrorCode"}]}),
]
"""Deepgram's code, or Rattil's."""


class Word(msgspec.Struct, frozen=True):
    """`word` is in small letters, without the punctuation around it; `punctuated_word` as it was written.
    `speaker`: in recordings with `diarize=true`, counted from 0."""

    word: str
    start: float
    end: float
    confidence: float
    punctuated_word: str
    speaker: int | UnsetType = UNSET


class Alternative(msgspec.Struct, frozen=True):
    transcript: str
    confidence: float
    words: tuple[Word, ...] = ()


class Channel(msgspec.Struct, frozen=True):
    alternatives: tuple[Alternative, ...]


class ModelInfo(msgspec.Struct, frozen=True):
    name: str
    version: str
    arch: str


class ResultsMetadata(msgspec.Struct, frozen=True):
    request_id: str
    model_info: ModelInfo
    model_uuid: str


class Results(msgspec.Struct, frozen=True, tag="Results"):
    """What was said in [start, start + duration). `is_final`: it never changes. `speech_final`: the speaker
    has paused after it. `from_finalize`: everything before the client's `Finalize` has been sent now.
    `channel_index`: which channel, of how many: one, unless they are kept apart (`multichannel=true`)."""

    channel_index: tuple[int, int]
    duration: float
    start: float
    is_final: bool
    speech_final: bool
    channel: Channel
    metadata: ResultsMetadata
    from_finalize: bool = False


class SpeechStarted(msgspec.Struct, frozen=True, tag="SpeechStarted"):
    """Somebody begins to speak (`vad_events=true`)."""

    channel: tuple[int, ...]
    timestamp: float


class UtteranceEnd(msgspec.Struct, frozen=True, tag="UtteranceEnd"):
    """No word has come for `utterance_end_ms` after this time."""

    channel: tuple[int, int]
    last_word_end: float


class Metadata(msgspec.Struct, frozen=True, tag="Metadata"):
    """The last message of a stream. `sha256`: of the audio as it was sent."""

    transaction_key: str
    request_id: str
    sha256: str
    created: str
    duration: float
    channels: int


class Error(msgspec.Struct, frozen=True, tag="Error"):
    """`variant` is the code of what went wrong; `message`: the client's text that is not understood."""

    variant: Variant
    description: str
    message: str | UnsetType = UNSET


ServerMessage = Results | SpeechStarted | UtteranceEnd | Metadata | Error

_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    return _encoder.encode(message).decode()


def timestamp(wall_ms: int) -> str:
    """A time of day, ms of Unix, as Deepgram writes it."""
    written = datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")
