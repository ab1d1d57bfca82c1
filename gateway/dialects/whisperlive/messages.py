"""What WhisperLive's clients say and are told: JSON text frames. Every answer echoes the client's `uid`; a
client ignores those that do not."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

MOST_UID = 200
MOST_SEGMENTS = 100


class Options(msgspec.Struct, frozen=True):
    """A client's first message. What is not here is taken without effect."""

    uid: str = ""
    language: str | None = None
    task: str = "transcribe"
    model: str | None = None
    use_vad: bool = True
    send_last_n_segments: int = 10
    enable_translation: bool = False
    enable_diarization: bool = False
    word_timestamps: bool = False
    hotwords: str | None = None
    initial_prompt: str | None = None
    audio_format: str = "float32"


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything but segments: `message` is `SERVER_READY`, with the `backend`, or `DISCONNECT`; or `status`
    is `WAIT` (`message`: for how many minutes), `WARNING` or `ERROR` (`message`: a sentence)."""

    uid: str
    message: str | float
    status: str | UnsetType = UNSET
    backend: str | UnsetType = UNSET


class Word(msgspec.Struct, frozen=True):
    word: str
    start: str
    end: str
    probability: float


class Segment(msgspec.Struct, frozen=True):
    """What was said from `start` to `end`, seconds with three decimals, as text. It never changes once it is
    `completed`."""

    start: str
    end: str
    text: str
    completed: bool
    words: tuple[Word, ...] | UnsetType = UNSET


class Segments(msgspec.Struct, frozen=True):
    """The last completed segments, and perhaps one that is not."""

    uid: str
    segments: tuple[Segment, ...]


ServerMessage = Told | Segments

_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    return _encoder.encode(message).decode()


def seconds(value: float) -> str:
    """As the clients read it."""
    return f"{value:.3f}"
