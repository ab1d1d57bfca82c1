"""Lossy codecs: what a messenger, a phone call or a small download leaves of a recording."""

from __future__ import annotations

import io

import av
import numpy as np
from av.audio.stream import AudioStream

from training.audio import SAMPLE_RATE, Floats

Rng = np.random.Generator

CODECS = (
    ("libopus", "ogg", (6_000, 8_000, 12_000, 16_000), 16_000),
    ("libmp3lame", "mp3", (16_000, 24_000, 32_000), 16_000),
    ("libopus", "ogg", (6_000, 8_000, 12_000), 8_000),
    ("libopencore_amrnb", "amr", (4_750, 5_900, 7_950, 12_200), 8_000),
    ("pcm_mulaw", "wav", (64_000,), 8_000),
    ("aac", "adts", (16_000, 24_000), 16_000),
)
"""Encoder, container, bits per second, sampling rate."""
DELAY = {"aac": 1024, "libopencore_amrnb": 80}
"""Samples at 16 kHz by which a codec comes out late where its container does not tell."""


def _encoded(samples: Floats, codec: str, container: str, bits: int, rate: int) -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, AudioStream)
        stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return sink.getvalue()


def _decoded(data: bytes) -> Floats:
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
    with av.open(io.BytesIO(data), "r") as source:
        frames = [part for frame in source.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def code(samples: Floats, rng: Rng) -> Floats:
    """Through a random codec of :data:`CODECS` and back; as long as before."""
    codec, container, rates, rate = CODECS[rng.integers(len(CODECS))]
    bits = rates[int(rng.random() * len(rates))]
    peak = max(1.0, float(np.abs(samples).max()))
    heard = _decoded(_encoded(samples / peak, codec, container, bits, rate)) * peak
    heard = heard[DELAY.get(codec, 0) :][: samples.size]
    kept = np.zeros(samples.size, dtype=np.float32)
    kept[: heard.size] = heard
    return kept
