"""The seam between connections and wire formats: a dialect only translates."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

from gateway.session.events import Event

Frame = str | bytes
"""One message of a client or for it, text or binary."""


def bytes_of(frame: Frame) -> int:
    """The size of a frame as it travels: text is UTF-8."""
    return len(frame) if isinstance(frame, bytes) or frame.isascii() else len(frame.encode())


class Command(enum.Enum):
    """What a client can ask for, besides sending audio."""

    END = "end"
    FLUSH = "flush"
    PING = "ping"
    STAY = "stay"
    """The client has no audio for now, and stays: its connection is not idle."""
    PONG = "pong"
    """The answer to `Ping`: the client is there."""
    NOTHING = "nothing"


Input = Command | bytes
"""Bytes are audio in the format that the session declared."""


class Dialect(Protocol):
    """One wire format, one object per connection. It knows no transport: how a connection ends is an
    `EndReason`, which each transport turns into its own close."""

    @property
    def name(self) -> str: ...

    @property
    def binary_is_audio(self) -> bool:
        """Whether every binary frame is audio and nothing else: then `read` is not asked about them."""
        ...

    def read(self, frame: Frame) -> Sequence[Input]:
        """Understand one frame. Raises `BadRequest`."""
        ...

    def write(self, event: Event) -> Sequence[Frame]:
        """The frames that tell an event; none if this dialect does not show it."""
        ...
