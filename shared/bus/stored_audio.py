"""How audio chunks are stored: one codec byte, then the audio; and how stored chunks become one again."""

from __future__ import annotations

from collections.abc import Iterable

from shared.audio import flac
from shared.bus.limits import AudioCodec
from shared.bus.ports import AudioChunk
from shared.errors import BadAudio

_RAW = b"\x00"
_FLAC = b"\x01"
_TAGS = {"pcm16": _RAW, "flac": _FLAC}
SAMPLE_BYTES = 2


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


def join(chunks: Iterable[AudioChunk], sample: int) -> tuple[AudioChunk, ...]:
    """Audio from `sample` on, one chunk for each stretch without a hole.

    The chunks given come in order of their ends and may overlap.
    """
    stretches: list[tuple[int, bytearray]] = []
    end = sample
    for chunk in chunks:
        if chunk.start_sample > end or not stretches:
            stretches.append((max(chunk.start_sample, sample), bytearray()))
            end = stretches[-1][0]
        stretches[-1][1].extend(memoryview(chunk.pcm)[max(0, end - chunk.start_sample) * SAMPLE_BYTES :])
        end = max(end, end_sample(chunk))
    return tuple(AudioChunk(start, bytes(pcm)) for start, pcm in stretches if pcm)
