"""Any common audio container (wav, flac, mp3, ogg/opus, webm, m4a) to PCM16 mono 16 kHz, through PyAV.

Everything is bounded before it is decoded: the bytes taken in, and the seconds given out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from shared.errors import BadAudio

SAMPLE_RATE = 16_000
MAX_BYTES = 64 * 1024 * 1024
"""Largest container accepted unless told otherwise: 20 min of 16-bit stereo at 44.1 kHz are 212 MB,
which nobody should upload; 20 min of MP3 or Opus are below 30 MB."""
MAX_SECONDS = 1200.0
"""Longest recording accepted unless told otherwise (20 min)."""


def decode_audio(data: bytes, *, max_seconds: float = MAX_SECONDS, max_bytes: int = MAX_BYTES) -> bytes:
    """PCM16 mono 16 kHz samples of a container in memory.

    Raises `BadAudio` when it is empty, too big, too long, without an audio track, or not decodable.
    Blocking and CPU-bound: call it in a thread.
    """
    if not data:
        raise BadAudio(
            "the audio is empty; send a recording in any common format (wav, flac, mp3, ogg, webm)"
        )
    if len(data) > max_bytes:
        raise BadAudio(
            f"the audio has {len(data)} bytes, at most {max_bytes} are accepted; compress or cut it"
        )
    return _decode(io.BytesIO(data), max_seconds)


def decode_file(path: Path, *, max_seconds: float = MAX_SECONDS, max_bytes: int = MAX_BYTES) -> bytes:
    """PCM16 mono 16 kHz samples of a file. Raises `BadAudio` like `decode_audio`, or if it cannot be read."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise BadAudio(f"{path} has {size} bytes, at most {max_bytes} are accepted; compress or cut it")
        data = path.read_bytes()
    except OSError as error:
        raise BadAudio(f"cannot read {path}: {error.strerror}; check the path") from error
    return decode_audio(data, max_seconds=max_seconds, max_bytes=max_bytes)


def _decode(source: io.BytesIO, max_seconds: float) -> bytes:
    limit = int(max_seconds * SAMPLE_RATE) * 2
    pcm = bytearray()
    try:
        with av.open(source, mode="r", metadata_errors="ignore") as container:
            for block in _blocks(container):
                pcm += block
                if len(pcm) > limit:
                    raise BadAudio(f"the audio is longer than {max_seconds:g} s; send it in parts")
    except FFmpegError as error:
        raise BadAudio(
            f"the audio cannot be decoded ({error.strerror}); send wav, flac, mp3, ogg or webm"
        ) from error
    if not pcm:
        raise BadAudio("the audio has no samples; was the recording stopped before it began?")
    return bytes(pcm)


def _blocks(container: Any) -> Iterator[bytes]:
    """Resampled blocks of the first audio track, the resampler's tail included."""
    if not container.streams.audio:
        raise BadAudio("the file has no audio track; send a sound recording")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    for frame in container.decode(audio=0):
        # The resampler refuses frames whose timestamps jump; the samples alone matter here.
        frame.pts = None
        for resampled in resampler.resample(frame):
            yield _bytes_of(resampled)
    for resampled in resampler.resample(None):
        yield _bytes_of(resampled)


def _bytes_of(frame: Any) -> bytes:
    """The frame's samples without the padding of its plane."""
    return bytes(frame.planes[0])[: frame.samples * 2]
