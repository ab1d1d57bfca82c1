"""PCM16 chunks as FLAC and back, lossless.

Measured on a recitation: 0.7 of the size, 0.5-0.8 ms of CPU to write 2 s, 0.3 ms to read them.
"""

from __future__ import annotations

import struct

import av
import numpy as np
from av.error import FFmpegError

from shared.errors import BadAudio
from shared.protocol.segments import SAMPLE_RATE

_LEVEL = "5"
_FRAME_SAMPLES = "4608"
"""Large frames mean fewer calls per chunk: 0.7 ms instead of 1.6 ms with the encoder's default."""
_LENGTH = struct.Struct("<H")


def encode(pcm: bytes) -> bytes:
    """Mono 16 kHz PCM16 as length-prefixed FLAC packets, the first being the stream header.

    Raises `BadAudio` for an odd number of bytes.
    """
    if len(pcm) % 2:
        raise BadAudio("PCM16 needs an even number of bytes")
    if not pcm:
        return b""
    context = av.AudioCodecContext.create("flac", "w")
    context.sample_rate = SAMPLE_RATE
    context.layout = "mono"
    context.format = "s16"
    context.options = {"compression_level": _LEVEL, "frame_size": _FRAME_SAMPLES}
    context.open()
    samples = np.frombuffer(pcm, dtype="<i2")[np.newaxis, :]
    step = context.frame_size
    packets: list[bytes] = []
    for start in range(0, samples.shape[1], step):
        frame = av.AudioFrame.from_ndarray(samples[:, start : start + step], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        packets += [bytes(packet) for packet in context.encode(frame)]
    packets += [bytes(packet) for packet in context.encode(None)]
    header = context.extradata or b""
    return b"".join(_LENGTH.pack(len(part)) + part for part in (header, *packets))


def decode(data: bytes) -> bytes:
    """The PCM16 that `encode` was given. Raises `BadAudio` for bytes it did not make."""
    if not data:
        return b""
    header, *packets = _parts(data)
    context = av.AudioCodecContext.create("flac", "r")
    context.extradata = header
    pcm = bytearray()
    try:
        for packet in packets:
            for frame in context.decode(av.Packet(packet)):
                pcm += frame.to_ndarray().tobytes()
    except (FFmpegError, ValueError) as error:
        raise BadAudio(f"stored audio is damaged: {error}") from error
    return bytes(pcm)


def _parts(data: bytes) -> list[bytes]:
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise BadAudio("stored audio is cut short")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise BadAudio("stored audio is cut short")
        parts.append(data[at : at + length])
        at += length
    return parts
