"""What clients of `WS /v1/realtime` say: JSON text, `type` says what."""

from __future__ import annotations

import binascii
from typing import Any

import msgspec

from gateway.dialects.openai.errors import BadParameter
from shared.errors import BadRequest
from shared.unreadable import UNREADABLE, why_unreadable

SHOWN = 60
"""Characters of a client's text that are shown to it again."""


class BadEvent(BadRequest):
    """An event that is no JSON object, has no known type, or lacks what its type needs."""

    code = "invalid_event"


class NothingToCommit(BadParameter):
    """The buffer holds less audio than can be recognised."""

    code = "input_audio_buffer_commit_empty"


class UnknownModel(BadParameter):
    """No model is served under this name."""

    code = "model_not_found"


class Update(msgspec.Struct, frozen=True):
    """`session.update`, or in the beta shape `transcription_session.update`."""

    session: dict[str, Any]
    beta: bool


class Append(msgspec.Struct, frozen=True):
    """`input_audio_buffer.append`."""

    audio: bytes


class Commit(msgspec.Struct, frozen=True):
    """`input_audio_buffer.commit`."""


class Clear(msgspec.Struct, frozen=True):
    """`input_audio_buffer.clear`."""


ClientEvent = Update | Append | Commit | Clear


class Head(msgspec.Struct, frozen=True):
    """What every event has. `event_id`: chosen by the client, or none. `correlation_id`: the same in the
    plain form, where answers carry it."""

    type: str
    event_id: str | None = None
    correlation_id: str | None = None


class _Session(msgspec.Struct):
    session: dict[str, Any]


class _Audio(msgspec.Struct):
    audio: str


_head = msgspec.json.Decoder(Head)
_session = msgspec.json.Decoder(_Session)
_audio = msgspec.json.Decoder(_Audio)
_UPDATES = {"session.update": False, "transcription_session.update": True}


def read_head(data: bytes) -> Head:
    """Raises `BadEvent`."""
    try:
        return _head.decode(data)
    except UNREADABLE as error:
        raise BadEvent(f"an event is a JSON object with a type, as text: {why_unreadable(error)}") from error


def read_event(head: Head, data: bytes) -> ClientEvent:
    """Raises `BadEvent`, or `BadParameter` with the field that is wrong."""
    if head.type == "input_audio_buffer.append":
        return Append(decoded_audio(data))
    if head.type == "input_audio_buffer.commit":
        return Commit()
    if head.type == "input_audio_buffer.clear":
        return Clear()
    if head.type in _UPDATES:
        try:
            return Update(_session.decode(data).session, _UPDATES[head.type])
        except UNREADABLE as error:
            raise BadParameter("session", f"{head.type} needs a session: {why_unreadable(error)}") from error
    raise BadEvent(
        f"{head.type[:SHOWN]!r} is not understood in a transcription session; send session.update, "
        "input_audio_buffer.append, .commit or .clear"
    )


def decoded_audio(data: bytes) -> bytes:
    """The audio of an append. Raises `BadParameter`."""
    try:
        return binascii.a2b_base64(_audio.decode(data).audio, strict_mode=True)
    except msgspec.MsgspecError as error:
        raise BadParameter("audio", f"append needs audio, a text in base64: {error}") from error
    except ValueError as error:
        raise BadParameter("audio", f"the audio is not valid base64: {error}") from error
