"""Codec packets as one string of bytes: each with its length in front."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from shared.errors import BadAudio

_LENGTH = struct.Struct("<H")


def join_packets(packets: Iterable[bytes]) -> bytes:
    """All packets with their lengths; none may be longer than 65,535 bytes."""
    return b"".join(_LENGTH.pack(len(packet)) + packet for packet in packets)


def split_packets(data: bytes) -> list[bytes]:
    """The packets that `join_packets` was given. Raises `BadAudio` if the bytes end too early."""
    packets: list[bytes] = []
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise BadAudio("encoded audio is cut short")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise BadAudio("encoded audio is cut short")
        packets.append(data[at : at + length])
        at += length
    return packets
