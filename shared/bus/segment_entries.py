"""A segment as an entry of its pool's stream: the envelope, and its audio whole or in two parts.

A push also stores the audio that no earlier window had. Where that is the end of the window's own bytes
(same codec), it travels once: the script stores it and puts the same bytes beside the envelope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from shared.bus import stored_audio
from shared.bus.limits import AudioCodec
from shared.bus.ports import AudioChunk
from shared.errors import BadRequest
from shared.protocol import codec
from shared.protocol.segments import BUS_VERSION, SEGMENT_VERSION, Segment

ENVELOPE = b"s"
OVERLAP = b"o"
"""The first part: audio that earlier windows had, too. `push.lua` writes these names."""
FRESH = b"d"
"""The second part, as it is stored: `stored_audio` codec byte first."""


class PushedSegment(NamedTuple):
    """`split`: the audio is `overlap`, then the stored chunk; else it is in the envelope."""

    envelope: bytes
    overlap: bytes = b""
    split: bool = False


def pushed(segment: Segment, stored: AudioChunk | None, stored_as: AudioCodec) -> PushedSegment:
    """The segment for a push that also stores this audio, in this codec."""
    fresh = b""
    if stored is not None and segment.codec == stored_as:
        fresh = stored.flac if stored_as == "flac" else stored.pcm
    if fresh and segment.audio.endswith(fresh):
        bare = msgspec.structs.replace(segment, audio=b"", v=SEGMENT_VERSION)
        return PushedSegment(codec.encode_segment(bare), segment.audio[: -len(fresh)], split=True)
    if segment.codec != "pcm16":
        segment = msgspec.structs.replace(segment, v=SEGMENT_VERSION)
    return PushedSegment(codec.encode_segment(segment))


def claimed(fields: Mapping[bytes, bytes]) -> Segment:
    """The segment of an entry, its audio in one piece.

    Raises `BadRequest` if the entry is damaged or was written by a version this process does not read.
    """
    segment = codec.decode_segment(fields.get(ENVELOPE, b""))
    stored = fields.get(FRESH)
    if stored is None:
        return segment if segment.v == BUS_VERSION else msgspec.structs.replace(segment, v=BUS_VERSION)
    fresh = stored_audio.payload(stored, segment.codec)
    if not fresh:
        raise BadRequest(f"the parts of a segment are of another codec than {segment.codec!r}")
    return msgspec.structs.replace(segment, audio=fields.get(OVERLAP, b"") + fresh, v=BUS_VERSION)
