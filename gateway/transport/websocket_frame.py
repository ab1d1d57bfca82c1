"""The bytes of a WebSocket frame (RFC 6455, 5.2): where its payload begins; a text message as bytes."""

from __future__ import annotations

from typing import Final, NamedTuple

WHOLE_BINARY: Final = 0x82
LONG_BINARY: Final = b"\x82\xfe"
WHOLE_TEXT: Final = 0x81
FINAL_BIT: Final = 0x80
MASKED_BIT: Final = 0x80
OPCODE_BITS: Final = 0x0F
FIRST_CONTROL: Final = 0x8
CLOSE: Final = 0x8
LONG: Final = 126
LONGER: Final = 127
"""Frames as in RFC 6455, 5.2."""


class Head(NamedTuple):
    """Of one frame: its first byte, where its payload begins (its mask lies before that), how long it is.

    `shortest`: whether its length is written in the fewest bytes, as the standard demands.
    """

    first: int
    payload_at: int
    size: int
    masked: bool
    shortest: bool = True


def head_at(data: bytes, at: int) -> Head | None:
    """The head of the client's frame that begins at `at`; None while not all of it has come."""
    left = len(data) - at
    if left < 2:
        return None
    second = data[at + 1]
    size, payload_at = second & 0x7F, at + 6
    least = 0
    if size == LONG:
        if left < 4:
            return None
        size, payload_at, least = data[at + 2] << 8 | data[at + 3], at + 8, LONG
    elif size == LONGER:
        if left < 10:
            return None
        size, payload_at, least = int.from_bytes(data[at + 2 : at + 10], "big"), at + 14, 1 << 16
    return Head(data[at], payload_at, size, second & MASKED_BIT != 0, size >= least)


def text_frame(payload: bytes) -> bytes:
    """A whole text message from a server."""
    size = len(payload)
    if size < LONG:
        return bytes((WHOLE_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((WHOLE_TEXT, LONG, size >> 8, size & 0xFF)) + payload
    return bytes((WHOLE_TEXT, LONGER)) + size.to_bytes(8, "big") + payload
