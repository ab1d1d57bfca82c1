"""How a dialect is described: its address, what it takes, what it says, how it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.connection.end_reason import EndReason
from gateway.description.schemas import Json, one_line
from gateway.transport.websocket import CLOSES
from shared.protocol.close_codes import Close

TEXT = "text/plain"
JSON = "application/json"
BINARY = "application/octet-stream"


class Parameter(NamedTuple):
    """One parameter of a query or a path."""

    name: str
    schema: Json
    meaning: str
    required: bool = False


class Message(NamedTuple):
    """One kind of frame for which the code has no type. `name` is unique in its dialect."""

    name: str
    meaning: str
    payload: Json
    content_type: str = JSON


class DialectDescription(NamedTuple):
    """One dialect. `takes` comes from clients, `says` goes to them: a msgspec type, or a `Message`.

    `address`: the path of its WebSocket; empty for raw TCP on `STREAM_PORT`. `keyed`: whether it asks for an
    API key where there are any.
    """

    name: str
    title: str
    text: str
    address: str
    takes: Sequence[type[msgspec.Struct] | Message]
    says: Sequence[type[msgspec.Struct] | Message]
    parameters: Sequence[Parameter] = ()
    closes: Mapping[EndReason, Close] | None = CLOSES
    keyed: bool = True


AUDIO = Message("audio", "Sound, in pieces of any size.", {"type": "string", "format": "binary"}, BINARY)


def words(names: Iterable[str]) -> tuple[Message, Message]:
    """Commands that a client gives as a bare word, in small or capital letters, or as `{"type": word}`."""
    enum = {"enum": sorted(names)}
    as_json = {"type": "object", "properties": {"type": enum}, "required": ["type"]}
    return (
        Message("word", "A command as a bare word.", {"type": "string"} | enum, TEXT),
        Message("command", "A command as JSON.", as_json),
    )


def name_of(message: type[msgspec.Struct] | Message) -> str:
    """The message's name: for a type its tag, the value of its field `type`."""
    return message.name if isinstance(message, Message) else str(message.__struct_config__.tag)


def meaning_of(message: type[msgspec.Struct] | Message) -> str:
    """One or a few sentences."""
    return message.meaning if isinstance(message, Message) else one_line(message.__doc__)
