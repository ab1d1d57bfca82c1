"""Containers in, PCM16 mono 16 kHz out, and a named error for everything else."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.audio.decode import decode_audio, decode_file
from shared.audio.pcm import samples_of
from shared.errors import BadAudio

TONE_HZ = 440.0


def _tone(seconds: float, rate: int, channels: int) -> NDArray[np.int16]:
    time_s = np.arange(int(seconds * rate)) / rate
    wave = (8000 * np.sin(2 * np.pi * TONE_HZ * time_s)).astype(np.int16)
    return np.repeat(wave[:, None], channels, axis=1)


def _container(kind: str, codec: str, rate: int = 16000, channels: int = 1, seconds: float = 1.0) -> bytes:
    buffer = io.BytesIO()
    layout = "stereo" if channels == 2 else "mono"
    with av.open(buffer, mode="w", format=kind) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        samples = _tone(seconds, rate, channels)
        if samples.size:
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
            frame.sample_rate = rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def _strongest_hz(pcm: bytes) -> float:
    samples = samples_of(pcm).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * 16000 / samples.size)


@pytest.mark.parametrize(
    ("kind", "codec", "rate", "channels"),
    [
        ("wav", "pcm_s16le", 16000, 1),
        ("wav", "pcm_s16le", 44100, 2),
        ("wav", "pcm_s16le", 8000, 1),
        ("flac", "flac", 16000, 1),
        ("flac", "flac", 48000, 2),
    ],
)
def test_common_containers_become_mono_16_khz(kind: str, codec: str, rate: int, channels: int) -> None:
    pcm = decode_audio(_container(kind, codec, rate, channels))
    assert len(pcm) / 2 == pytest.approx(16000, abs=40)
    assert _strongest_hz(pcm) == pytest.approx(TONE_HZ, abs=3)


@pytest.mark.parametrize(("kind", "codec"), [("ogg", "libopus"), ("webm", "libopus"), ("mp3", "libmp3lame")])
def test_lossy_containers_keep_the_sound(kind: str, codec: str) -> None:
    pcm = decode_audio(_container(kind, codec, rate=48000 if codec == "libopus" else 16000))
    assert len(pcm) / 2 == pytest.approx(16000, abs=2500)
    assert _strongest_hz(pcm) == pytest.approx(TONE_HZ, abs=3)


def test_16_khz_wav_and_flac_come_through_bit_for_bit() -> None:
    expected = _tone(1.0, 16000, 1).tobytes()
    assert decode_audio(_container("wav", "pcm_s16le")) == expected
    assert decode_audio(_container("flac", "flac")) == expected


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"not audio at all" * 100, "cannot be decoded"),
        (_container("wav", "pcm_s16le")[:30], "cannot be decoded|no samples|no audio"),
        (_container("wav", "pcm_s16le")[:44], "cannot be decoded|no samples|no audio"),
    ],
)
def test_unusable_audio_is_bad_audio(data: bytes, sentence: str) -> None:
    with pytest.raises(BadAudio, match=sentence):
        decode_audio(data)


def test_caps_are_kept() -> None:
    data = _container("wav", "pcm_s16le", seconds=2.0)
    with pytest.raises(BadAudio, match="longer than 1 s"):
        decode_audio(data, max_seconds=1.0)
    with pytest.raises(BadAudio, match="at most 1000"):
        decode_audio(data, max_bytes=1000)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "tone.flac"
    path.write_bytes(_container("flac", "flac"))
    assert len(decode_file(path)) == 32000
    with pytest.raises(BadAudio, match="cannot read"):
        decode_file(tmp_path / "missing.wav")
    with pytest.raises(BadAudio, match="at most 10"):
        decode_file(path, max_bytes=10)
