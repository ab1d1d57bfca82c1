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

    `address`: the path of its WebSocket; empty for raw TCP. `servers`: where it is served, by their names in
    the document. `keyed`: whether it asks for an API key where there are any. `parts`: types that payloads of
    `takes` refer to. `envelope`: fields that all that it says has, beside those of its type.
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
    servers: Sequence[str] = ("gateway",)
    parts: Sequence[type[msgspec.Struct]] = ()
    envelope: Mapping[str, Json] = {}


AUDIO = Message("audio", "Sound, in pieces of any size.", {"type": "string", "format": "binary"}, BINARY)


def typed(name: str, meaning: str, fields: Json | None = None) -> Message:
    """A message `{"type": name}`, with these fields beside it, all of which it needs."""
    properties = {"type": {"const": name}} | (fields or {})
    return Message(name, meaning, {"type": "object", "properties": properties, "required": list(properties)})


def words(names: Iterable[str]) -> tuple[Message, Message]:
    """Commands that a client gives as a bare word, in small or capital letters, or as `{"type": word}`."""
    enum = {"enum": sorted(names)}
    as_json = {"type": "object", "properties": {"type": enum}, "required": ["type"]}
    return (
        Message("word", "A command as a bare word.", {"type": "string"} | enum, TEXT),
        Message("command", "A command as JSON.", as_json),
    )


def name_of(message: type[msgspec.Struct] | Message) -> str:
    """The message's name: for a type its tag, the value of its field `type`; its own name if it has none."""
    if isinstance(message, Message):
        return message.name
    tag = message.__struct_config__.tag
    return message.__name__ if tag is None else str(tag)


def meaning_of(message: type[msgspec.Struct] | Message) -> str:
    """One or a few sentences."""
    return message.meaning if isinstance(message, Message) else one_line(message.__doc__)
