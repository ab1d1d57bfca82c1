"""How audio chunks are stored: one codec byte, then the audio; and how stored chunks become one again."""

from __future__ import annotations

from collections.abc import Iterable

from shared.audio import flac
from shared.bus.limits import AudioCodec
from shared.bus.ports import AudioChunk
from shared.errors import BadAudio
from shared.protocol.segments import SAMPLE_RATE

_RAW = b"\x00"
_FLAC = b"\x01"
_TAGS = {"pcm16": _RAW, "flac": _FLAC}
SAMPLE_BYTES = 2

MAX_HOLE_SAMPLES = 600 * SAMPLE_RATE
"""The longest unstored stretch that is filled with zeros: a session's keys live that long (10 min)."""


def pack(chunk: AudioChunk, codec: AudioCodec) -> bytes:
    """A chunk as stored. Raises `BadAudio` for half a sample."""
    if len(chunk.pcm) % SAMPLE_BYTES:
        raise BadAudio("PCM16 needs an even number of bytes")
    if codec == "flac":
        return _FLAC + (chunk.flac or flac.encode(chunk.pcm))
    return _RAW + chunk.pcm


def payload(stored: bytes, codec: str) -> bytes:
    """The audio of a stored chunk if it is in this codec, else nothing."""
    return stored[1:] if stored.startswith(_TAGS.get(codec, b"none")) else b""


def unpack(stored: bytes) -> bytes:
    """PCM16 of a stored chunk. Raises `BadAudio` if a newer version or nobody wrote it."""
    tag, data = stored[:1], stored[1:]
    if tag == _RAW:
        return data
    if tag == _FLAC:
        return flac.decode(data)
    raise BadAudio(f"stored audio has unknown codec {tag.hex() or 'none'}")


def end_sample(chunk: AudioChunk) -> int:
    """The sample after the chunk's last."""
    return chunk.start_sample + len(chunk.pcm) // SAMPLE_BYTES


def join(chunks: Iterable[AudioChunk], sample: int) -> AudioChunk:
    """Consecutive audio from `sample` on; chunks come in order of their ends and may overlap.

    It starts at the first stored sample if that comes later. Holes are filled with zeros; after one
    too long to fill, the audio starts anew.
    """
    start, pcm = sample, bytearray()
    for chunk in chunks:
        at = start + len(pcm) // SAMPLE_BYTES
        hole = chunk.start_sample - at
        if hole > 0 and (not pcm or hole > MAX_HOLE_SAMPLES):
            start, pcm = chunk.start_sample, bytearray()
        elif hole > 0:
            pcm += bytes(hole * SAMPLE_BYTES)
        pcm += chunk.pcm[max(0, -hole) * SAMPLE_BYTES :]
    return AudioChunk(start, bytes(pcm))
