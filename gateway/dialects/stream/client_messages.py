"""What clients of `/ws/stream` say: JSON text, `type` says what. A binary frame is audio, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.connection.dialect import Command, Input
from gateway.dialects.recite.commands import BadMessage
from gateway.dialects.stated_rate import check_stated_rates
from shared.unreadable import UNREADABLE, why_unreadable


class AudioData(msgspec.Struct, frozen=True):
    """`audio`: PCM, 16 kHz, 16-bit little-endian, mono, in base64. `metadata`: as in `metadata`."""

    audio: bytes
    metadata: dict[str, Any] | None = None


class Audio(msgspec.Struct, frozen=True, tag="audio"):
    """A piece of sound, of any length."""

    data: AudioData


class Metadata(msgspec.Struct, frozen=True, tag="metadata"):
    """What the client says of its audio and of itself. A sample rate in it is checked; nothing is kept."""

    data: dict[str, Any]


class Flush(msgspec.Struct, frozen=True, tag="flush"):
    """Judge what has come so far, without waiting for more; `flushed` says when that is done."""


class End(msgspec.Struct, frozen=True, tag="end"):
    """No more audio comes: the rest is judged, then `score` comes."""


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Answered with `pong`."""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to `ping`."""


ClientMessage = Audio | Metadata | Flush | End | Ping | Pong

_COMMANDS = {Flush: Command.FLUSH, End: Command.END, Ping: Command.PING, Pong: Command.PONG}
_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def read_message(text: str) -> Sequence[Input]:
    """Raises `BadMessage` or `UnsupportedSampleRate`."""
    try:
        message = _decoder.decode(text)
    except UNREADABLE as error:
        raise BadMessage(
            'a message is JSON such as {"type": "audio", "data": {"audio": "<base64>"}, "timestamp": 0}; '
            f"other types are metadata, flush, end, ping and pong: {why_unreadable(error)}"
        ) from error
    if isinstance(message, Audio):
        if message.data.metadata is not None:
            check_stated_rates(message.data.metadata)
        return (message.data.audio,)
    if isinstance(message, Metadata):
        check_stated_rates(message.data)
        return ()
    return (_COMMANDS[type(message)],)
