"""The session core as bytes: what `SessionRecord.core` holds."""

from __future__ import annotations

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
_decoder = msgspec.msgpack.Decoder(CoreSnapshot)


def encode_snapshot(snapshot: CoreSnapshot) -> bytes:
    return _encoder.encode(snapshot)


def decode_snapshot(data: bytes) -> CoreSnapshot:
    """Raises `StateLost` for bytes that this version cannot read."""
    try:
        snapshot = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise StateLost(f"the session's saved state cannot be read ({error})") from error
    if snapshot.v != SNAPSHOT_VERSION:
        raise StateLost(f"the session's saved state has version {snapshot.v}, not {SNAPSHOT_VERSION}")
    return snapshot
