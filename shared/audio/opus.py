"""PCM16 windows as Opus and back, lossy; for links where bytes cost more than CPU.

Every window is encoded by itself, so that its bytes depend on nothing but its audio.
"""

from __future__ import annotations

import av
import numpy as np
from av.error import FFmpegError

from shared.audio.formats import SAMPLE_RATE
from shared.audio.packets import join_packets, split_packets
from shared.errors import BadAudio

DEFAULT_BITRATE = 24_000
"""Bits per second: wideband speech without audible loss (RFC 6716, section 2.1.1: 16 to 20 kb/s)."""
_OPTIONS = {"application": "audio", "compression_level": "2", "frame_duration": "60"}
"""1 ms of CPU and 3 kB a second. `voip` takes 2 to 4.7 ms for 2.4 kB, complexity 5 half as long again,
frames of 20 ms 4.7 kB."""
_FRAME_SAMPLES = SAMPLE_RATE * 60 // 1000


def encode(pcm: bytes, bitrate: int = DEFAULT_BITRATE) -> bytes:
    """Mono 16 kHz PCM16 as length-prefixed Opus packets, the first being the stream header.

    Raises `BadAudio` for an odd number of bytes.
    """
    if len(pcm) % 2:
        raise BadAudio("PCM16 needs an even number of bytes")
    if not pcm:
        return b""
    context = av.AudioCodecContext.create("libopus", "w")
    context.sample_rate = SAMPLE_RATE
    context.layout = "mono"
    context.format = "s16"
    context.bit_rate = bitrate
    context.options = dict(_OPTIONS)
    context.open()
    samples = np.frombuffer(pcm, dtype="<i2")
    # A frame more than whole ones: the decoder gives everything a little late.
    padded = np.pad(samples, (0, -samples.size % _FRAME_SAMPLES + _FRAME_SAMPLES))
    frame = av.AudioFrame.from_ndarray(padded[np.newaxis, :], format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = 0
    packets = [bytes(context.extradata or b"")]
    packets += [bytes(packet) for part in (frame, None) for packet in context.encode(part)]
    return join_packets(packet for packet in packets if packet)


def decode(data: bytes, samples: int) -> bytes:
    """PCM16 of what `encode` was given, `samples` long. Raises `BadAudio` for bytes it did not make."""
    if not data:
        return b""
    header, *packets = split_packets(data)
    pcm = bytearray()
    try:
        context = av.AudioCodecContext.create("opus", "r")
        context.extradata = header
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        for packet in packets:
            for frame in context.decode(av.Packet(packet)):
                frame.pts = None
                for heard in resampler.resample(frame):
                    pcm += bytes(heard.planes[0])[: heard.samples * 2]
        for heard in resampler.resample(None):
            pcm += bytes(heard.planes[0])[: heard.samples * 2]
    except (FFmpegError, ValueError) as error:
        raise BadAudio(f"encoded audio is damaged: {error}") from error
    if len(pcm) < samples * 2:
        raise BadAudio(f"the segment claims {samples} samples and carries {len(pcm) // 2}")
    return bytes(pcm[: samples * 2])
