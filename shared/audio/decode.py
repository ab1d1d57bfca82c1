"""Any common recording (wav, flac, mp3, m4a, ogg, webm) to PCM16 mono 16 kHz, through PyAV.

Everything is bounded before it is decoded: the bytes taken in, the rate and channels, and the seconds given
out. A damaged recording is decoded as far as possible. Decoding runs in the caller's process: recordings of
strangers go through `shared.audio.decoder_pool`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from shared.audio.containers import KNOWN, decoded_frames, open_recording, stamps_follow_rate
from shared.audio.downmix import KeptApart, MonoMixer
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Floats, to_pcm16
from shared.audio.timeline import Piece, Timeline
from shared.errors import BadAudio

MAX_BYTES = 64 * 1024 * 1024
"""Largest container accepted unless told otherwise: 20 min of 16-bit stereo at 44.1 kHz are 212 MB,
which nobody should upload; 20 min of MP3 or Opus are below 30 MB."""
MAX_SECONDS = 1200.0
"""Longest recording accepted unless told otherwise (20 min)."""
TOO_MUCH_MEMORY = "the audio needs too much memory to decode; send wav, flac or mp3"
_AT_ONCE = 4 * SAMPLE_RATE
"""Samples that are worked on at once."""
_FULL_SCALE_SHARE = 99.9
"""Per cent of the samples that must fit below full scale; where fewer do, the recording is made quieter."""


class Decoded(NamedTuple):
    """16 kHz PCM16 of each channel, all of the same length, and whether a part of the recording could not be
    decoded. There is one channel unless they were to be kept apart."""

    channels: tuple[bytes, ...]
    damaged: bool

    @property
    def pcm16(self) -> bytes:
        """Of the only channel."""
        (only,) = self.channels
        return only


def decode_audio(data: bytes, *, max_seconds: float = MAX_SECONDS, max_bytes: int = MAX_BYTES) -> bytes:
    """PCM16 mono 16 kHz samples of a container in memory.

    Raises `BadAudio` when it is empty, too big, too long, without an audio track, or not decodable.
    Blocking and CPU-bound: call it in a thread.
    """
    check_size(len(data), max_bytes)
    try:
        return decode_recording(data, max_seconds).pcm16
    except MemoryError as error:
        raise BadAudio(TOO_MUCH_MEMORY) from error


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


def decode_recording(data: bytes, max_seconds: float, *, apart: bool = False) -> Decoded:
    """As much of the recording as can be decoded, its mean removed. `apart`: its channels are not mixed; all
    of them together may have `max_seconds`.

    Raises `BadAudio` if nothing can be decoded, or if it is too long; `MemoryError`, which
    damage may lead to.
    """
    pieces: list[Piece] = []
    damaged = False
    with open_recording(data, max_seconds) as (container, track):
        channels = track.codec_context.channels if apart else 1
        timeline = Timeline(
            max_seconds / channels,
            mix=KeptApart if apart else MonoMixer,
            stamps_follow_rate=stamps_follow_rate(container),
        )
        for frames in decoded_frames(container, track):
            damaged |= frames is None
            for frame in frames or ():
                damaged |= not timeline.add(frame)
            if timeline.waiting_samples >= _AT_ONCE:
                pieces += timeline.take()
    pieces += timeline.finish()
    if any(not isinstance(piece, int) for piece in pieces):
        separate = _separated(pieces, channels) if apart else [pieces]
        return Decoded(tuple(map(_levelled, separate)), damaged)
    if damaged:
        raise BadAudio(f"the audio cannot be decoded: it is damaged; {KNOWN}")
    raise BadAudio("the audio has no samples; was the recording stopped before it began?")


def _separated(pieces: list[Piece], channels: int) -> list[list[Piece]]:
    """The pieces of each channel. Raises `BadAudio` where there are more or fewer in some of them."""
    if any(not isinstance(piece, int) and piece.shape[1] != channels for piece in pieces):
        raise BadAudio(
            "the number of channels changes within the recording, so that they cannot be kept apart; leave "
            "multichannel out, or send each channel as a recording of its own"
        )
    return [
        [piece if isinstance(piece, int) else piece[:, channel] for piece in pieces]
        for channel in range(channels)
    ]


def _levelled(pieces: list[Piece]) -> bytes:
    """PCM16 of the pieces: without their mean, and floats beyond full scale brought below it."""
    sounds = [piece for piece in pieces if not isinstance(piece, int)]
    full = _full_scale(sounds)
    for piece in sounds:
        np.clip(piece, -full, full, out=piece)
    total = sum(float(piece.sum(dtype=np.float64)) for piece in sounds)
    mean = np.float32(total / sum(piece.size for piece in sounds))
    return b"".join(
        bytes(2 * piece) if isinstance(piece, int) else to_pcm16((piece - mean) / full) for piece in pieces
    )


def _full_scale(sounds: list[Floats]) -> np.float32:
    """The value that becomes full scale: 1, or more for floats beyond it."""
    if max(float(np.abs(piece).max(initial=0)) for piece in sounds) <= 1:
        return np.float32(1)
    return np.float32(max(1.0, np.percentile(np.abs(np.concatenate(sounds)), _FULL_SCALE_SHARE)))
