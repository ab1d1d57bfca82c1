"""What `WS /v1/realtime` says to its clients: one JSON object per text frame, each with an `event_id`."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from gateway.dialects.openai.codes import OpenAICode

_TRANSCRIPTION = "conversation.item.input_audio_transcription"


class SessionCreated(msgspec.Struct, frozen=True, tag="session.created"):
    """The socket is open; this is the configuration it begins with. `correlation_id`: of the client's
    `session.create`, to which it is the answer."""

    session: dict[str, Any]
    correlation_id: str | UnsetType = UNSET


class SessionUpdated(msgspec.Struct, frozen=True, tag="session.updated"):
    """The configuration as it is from here on."""

    session: dict[str, Any]


class BetaSessionCreated(msgspec.Struct, frozen=True, tag="transcription_session.created"):
    """The same in the beta shape."""

    session: dict[str, Any]


class BetaSessionUpdated(msgspec.Struct, frozen=True, tag="transcription_session.updated"):
    """The same in the beta shape."""

    session: dict[str, Any]


class SpeechStarted(msgspec.Struct, frozen=True, tag="input_audio_buffer.speech_started"):
    """Somebody begins to speak. Times in ms of all audio of this socket."""

    audio_start_ms: int
    item_id: str


class SpeechStopped(msgspec.Struct, frozen=True, tag="input_audio_buffer.speech_stopped"):
    """The speech has ended."""

    audio_end_ms: int
    item_id: str


class Committed(msgspec.Struct, frozen=True, tag="input_audio_buffer.committed"):
    """The audio up to here is this item, which follows `previous_item_id`."""

    item_id: str
    previous_item_id: str | None


class Cleared(msgspec.Struct, frozen=True, tag="input_audio_buffer.cleared"):
    """What was not committed is thrown away."""


class Content(msgspec.Struct, frozen=True, tag="input_audio"):
    """The sound of an item; its text comes in events of its own."""

    transcript: str | None = None


class Item(msgspec.Struct, frozen=True, tag="message"):
    """One piece of what was said."""

    id: str
    object: str = "realtime.item"
    status: str = "completed"
    role: str = "user"
    content: tuple[Content, ...] = (Content(),)


class ItemAdded(msgspec.Struct, frozen=True, tag="conversation.item.added"):
    """An item is there."""

    previous_item_id: str | None
    item: Item


class ItemDone(msgspec.Struct, frozen=True, tag="conversation.item.done"):
    """Its audio is complete."""

    previous_item_id: str | None
    item: Item


class ItemCreated(msgspec.Struct, frozen=True, tag="conversation.item.created"):
    """Both in one, in the beta shape."""

    previous_item_id: str | None
    item: Item


class Delta(msgspec.Struct, frozen=True, tag=f"{_TRANSCRIPTION}.delta"):
    """More text of an item. All deltas of an item together are its transcript."""

    item_id: str
    delta: str
    content_index: int = 0


class Usage(msgspec.Struct, frozen=True, tag="duration"):
    """The audio of an item, seconds."""

    seconds: float


class Completed(msgspec.Struct, frozen=True, tag=f"{_TRANSCRIPTION}.completed"):
    """The text of an item; it never changes."""

    item_id: str
    transcript: str
    usage: Usage
    content_index: int = 0


class ErrorDetail(msgspec.Struct, frozen=True):
    """`event_id`: of the client's event that is at fault."""

    type: str
    code: OpenAICode
    message: str
    param: str | None = None
    event_id: str | UnsetType | None = UNSET


class Failed(msgspec.Struct, frozen=True, tag=f"{_TRANSCRIPTION}.failed"):
    """An item, or a part of it, could not be transcribed; it is not completed."""

    item_id: str
    error: ErrorDetail
    content_index: int = 0


class Error(msgspec.Struct, frozen=True, tag="error"):
    """Something is wrong; the connection lives on, unless it is closed right after this. `correlation_id`: of
    the event at fault, in the plain form."""

    error: ErrorDetail
    correlation_id: str | UnsetType = UNSET


class ResponseTextDelta(msgspec.Struct, frozen=True, tag="response.text.delta"):
    """The plain form: more of the text that `response.create` asked for, source by source. All deltas of a
    source together are its text."""

    response_id: str
    source: str
    delta: str
    correlation_id: str | UnsetType = UNSET


class OutputText(msgspec.Struct, frozen=True):
    """All that one source has said."""

    source: str
    text: str


class Response(msgspec.Struct, frozen=True):
    """`status`: `completed`, or `incomplete`: then `error` says why. `usage`: audio that was decoded."""

    id: str
    status: str
    output: tuple[OutputText, ...]
    usage: Usage
    error: ErrorDetail | UnsetType = UNSET


class ResponseDone(msgspec.Struct, frozen=True, tag="response.done"):
    """The plain form: a response is complete and never changes."""

    response: Response
    correlation_id: str | UnsetType = UNSET


ServerEvent = (
    SessionCreated
    | SessionUpdated
    | BetaSessionCreated
    | BetaSessionUpdated
    | SpeechStarted
    | SpeechStopped
    | Committed
    | Cleared
    | ItemAdded
    | ItemDone
    | ItemCreated
    | Delta
    | Completed
    | Failed
    | Error
    | ResponseTextDelta
    | ResponseDone
)


def encode(event: ServerEvent) -> str:
    """As it travels, with a new `event_id`."""
    fields = msgspec.to_builtins(event)
    return msgspec.json.encode({"event_id": new_id("event"), **fields}).decode()


def new_id(kind: str) -> str:
    """An id as OpenAI's look: `item_...`, `event_...`, `sess_...`."""
    return f"{kind}_{secrets.token_hex(12)}"
