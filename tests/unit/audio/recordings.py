"""Recordings that tests make: tones in any container, whole, joined, with gaps, or damaged."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Callable
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

TONE_HZ = 440.0
Wave = NDArray[np.float64]


def tone(seconds: float, rate: int, hz: float = TONE_HZ) -> Wave:
    """A sine at a quarter of full scale."""
    time_s = np.arange(int(seconds * rate)) / rate
    return np.asarray(0.25 * np.sin(2 * np.pi * hz * time_s))


def encoded(
    kind: str,
    codec: str,
    channels: list[Wave],
    rate: int = 16_000,
    *,
    layout: str = "",
    later_s: Callable[[float], float] = lambda at_s: 0.0,
) -> bytes:
    """The channels in a container. `later_s`: seconds by which the packet at this time is stamped later."""
    buffer = io.BytesIO()
    names = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
    with av.open(buffer, mode="w", format=kind) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout=layout or names[len(channels)])
        samples = np.stack(channels, axis=1)
        if samples.size:
            pcm = np.rint(samples * 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout=layout or names[len(channels)])
            frame.sample_rate, frame.pts = rate, 0
            packets = [*stream.encode(frame), *stream.encode(None)]
        else:
            packets = stream.encode(None)
        for packet in packets:
            if packet.pts is not None and packet.time_base is not None:
                moved = round(later_s(float(packet.pts * packet.time_base)) / packet.time_base)
                packet.pts += moved
                packet.dts += moved
            out.mux(packet)
    return buffer.getvalue()


def wav_file(frames: bytes, rate: int, channels: int, sample_bytes: int = 2) -> bytes:
    """A WAV file around these bytes."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(sample_bytes)
        out.setframerate(rate)
        out.writeframes(frames)
    return buffer.getvalue()


def float_wav(samples: NDArray[np.float32], rate: int = 16_000) -> bytes:
    """A mono WAV file of 32-bit floats (format tag 3)."""
    data = samples.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def patched_rate(wav: bytes, rate: int) -> bytes:
    """The same WAV file with another sample rate in its header."""
    return wav[:24] + struct.pack("<I", rate) + wav[28:]


def strongest_hz(pcm: NDArray[Any]) -> float:
    """The loudest frequency of 16 kHz samples."""
    samples = pcm.astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * 16_000 / samples.size)


def level(pcm: NDArray[Any]) -> float:
    """RMS of 16-bit samples, full scale = 1."""
    return float(np.sqrt(np.mean(np.square(pcm.astype(np.float64) / 32768)))) if pcm.size else 0.0
