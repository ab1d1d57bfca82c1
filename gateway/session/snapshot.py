"""The session core as bytes: what `SessionRecord.core` holds.

Gateways of two builds run side by side during an update, and a session moves between them in either
direction. So: fields are only added, at the end, with a default (an older build ignores them, a newer one
has the default). What cannot be done so raises `SNAPSHOT_VERSION` and keeps a reader of the version before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.session.segmenter import Position
from shared.errors import StateLost

SNAPSHOT_VERSION = 1


class Flight(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A segment without an event yet. `pushed_ms`: this process's time of its push, 0: not yet.
    `final`: its window was the end of an utterance or of the session."""

    seq: int
    start_sample: int
    samples: int
    pushed_ms: int = 0
    final: bool = False


class CoreSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """Everything but the identity. `interpreter` and `answered_until` belong to the record's `core_seq`.

    `log_offset`: the result log after it has all results later than `core_seq`. `floor_seq`,
    `audio_start`: where this epoch's log and audio begin (0 unless state was lost before).
    """

    position: Position
    flights: tuple[Flight, ...]
    log_offset: int
    answered_until: int
    floor_seq: int
    audio_start: int
    interpreter: bytes
    v: int = SNAPSHOT_VERSION


_encoder = msgspec.msgpack.Encoder()
_any_decoder = msgspec.msgpack.Decoder(list[Any])
_READERS: dict[int, Callable[[bytes], CoreSnapshot]] = {
    1: msgspec.msgpack.Decoder(CoreSnapshot).decode,
}
"""By version: this one and, once there is one, the version before."""

_VERSION_AT = CoreSnapshot.__struct_fields__.index("v")


def encode_snapshot(snapshot: CoreSnapshot) -> bytes:
    return _encoder.encode(snapshot)


def decode_snapshot(data: bytes) -> CoreSnapshot:
    """Raises `StateLost` for bytes that this version cannot read."""
    try:
        read = _READERS.get(_version(data))
        if read is None:
            versions = " or ".join(map(str, _READERS))
            raise StateLost(f"the session's saved state has version {_version(data)}, not {versions}")
        return read(data)
    except msgspec.DecodeError as error:
        raise StateLost(f"the session's saved state cannot be read ({error})") from error


def _version(data: bytes) -> int:
    """The version is always at the same place, whatever else changes; 0 if there is none."""
    fields = _any_decoder.decode(data)
    found = fields[_VERSION_AT] if len(fields) > _VERSION_AT else None
    return found if isinstance(found, int) else 0
