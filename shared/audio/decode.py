"""Any common recording (wav, flac, mp3, m4a, ogg, webm) to PCM16 mono 16 kHz, through PyAV.

Everything is bounded before it is decoded: the bytes taken in, the rate and channels, and the seconds given
out. A damaged recording is decoded as far as possible. Decoding runs in the caller's process: recordings of
strangers go through `shared.audio.decoder_pool`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from av.error import FFmpegError

from shared.audio.containers import KNOWN, open_recording
from shared.audio.timeline import Timeline
from shared.errors import BadAudio

MAX_BYTES = 64 * 1024 * 1024
"""Largest container accepted unless told otherwise: 20 min of 16-bit stereo at 44.1 kHz are 212 MB,
which nobody should upload; 20 min of MP3 or Opus are below 30 MB."""
MAX_SECONDS = 1200.0
"""Longest recording accepted unless told otherwise (20 min)."""


class Decoded(NamedTuple):
    """Mono 16 kHz PCM16, and whether a part of the recording could not be decoded."""

    pcm16: bytes
    damaged: bool


def decode_audio(data: bytes, *, max_seconds: float = MAX_SECONDS, max_bytes: int = MAX_BYTES) -> bytes:
    """PCM16 mono 16 kHz samples of a container in memory.

    Raises `BadAudio` when it is empty, too big, too long, without an audio track, or not decodable.
    Blocking and CPU-bound: call it in a thread.
    """
    check_size(len(data), max_bytes)
    return decode_recording(data, max_seconds).pcm16


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


def check_size(size: int, max_bytes: int) -> None:
    """Raises `BadAudio` for a recording that is empty or too big, bytes."""
    if not size:
        raise BadAudio(
            "the audio is empty; send a recording in any common format (wav, flac, mp3, ogg, webm)"
        )
    if size > max_bytes:
        raise BadAudio(f"the audio has {size} bytes, at most {max_bytes} are accepted; compress or cut it")


def decode_recording(data: bytes, max_seconds: float) -> Decoded:
    """As much of the recording as can be decoded. Raises `BadAudio` if nothing can, or if it is too long."""
    timeline = Timeline(max_seconds)
    damaged = False
    with open_recording(data, max_seconds) as (container, track):
        for frames in _decoded(container, track):
            damaged |= frames is None
            for frame in frames or ():
                damaged |= not timeline.add(frame)
    try:
        return Decoded(timeline.pcm16(), damaged)
    except BadAudio as error:
        if damaged:
            raise BadAudio(f"the audio cannot be decoded: it is damaged; {KNOWN}") from error
        raise


def _decoded(container: Any, track: Any) -> Iterator[list[Any] | None]:
    """Frames of each packet; None for a packet, or a rest of the file, that cannot be decoded."""
    packets = container.demux(track)
    while True:
        try:
            packet = next(packets, None)
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            yield None
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            frames = None
        yield frames
