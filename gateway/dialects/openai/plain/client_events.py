"""What clients of the plain form say: JSON text, `type` says what."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from gateway.dialects.openai.errors import BadParameter
from gateway.dialects.openai.realtime.client_events import SHOWN, BadEvent, Head, decoded_audio
from shared.unreadable import UNREADABLE, why_unreadable

CREATE = "session.create"
"""The event that a client of this form begins with."""

Source = Literal["mic", "system"]
SOURCES: tuple[Source, ...] = get_args(Source)
"""The more important ones first."""


class SessionCreate(msgspec.Struct, frozen=True):
    """`session.create`: `session` in the present or in the beta shape."""

    session: dict[str, Any] = {}


class Append(msgspec.Struct, frozen=True):
    """`input_audio_buffer.append`."""

    audio: bytes
    source: Source


class ResponseCreate(msgspec.Struct, frozen=True):
    """`response.create`."""


PlainEvent = Append | ResponseCreate


class _Append(msgspec.Struct):
    source: Source = "mic"


_session = msgspec.json.Decoder(SessionCreate)
_append = msgspec.json.Decoder(_Append)


def correlation_of(head: Head) -> str | None:
    """The client's name for its event; every answer to it carries it."""
    return head.correlation_id or head.event_id


def read_event(head: Head, data: bytes) -> PlainEvent:
    """Raises `BadEvent`, or `BadParameter` with the field that is wrong."""
    if head.type == "input_audio_buffer.append":
        try:
            source = _append.decode(data).source
        except UNREADABLE as error:
            raise BadParameter(
                "source", f"source is {' or '.join(SOURCES)}: {why_unreadable(error)}"
            ) from error
        return Append(decoded_audio(data), source)
    if head.type == "response.create":
        return ResponseCreate()
    if head.type == CREATE:
        raise BadEvent("the session is created already; open another connection for another one")
    raise BadEvent(
        f"{head.type[:SHOWN]!r} is not understood after session.create; send input_audio_buffer.append or "
        "response.create"
    )


def read_create(data: bytes) -> SessionCreate:
    """Raises `BadParameter`."""
    try:
        return _session.decode(data)
    except UNREADABLE as error:
        raise BadParameter("session", f"session must be an object: {why_unreadable(error)}") from error
