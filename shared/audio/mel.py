"""Log-mel features as bytes, 8 bits a cell: what a Whisper model hears, at an eighth of PCM16.

Whisper raises every cell that is more than 8 decades below the window's loudest one to that floor, so
256 steps over those 8 decades lose nothing but precision: 0.03 decades (0.3 dB) a step.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from shared.audio.features import DYNAMIC_RANGE, POWER_FLOOR, FeatureConfig, Floats, log_power
from shared.audio.pcm import to_float
from shared.errors import BadAudio, UnsupportedCodec

_HEAD = struct.Struct("<HHHHff")
"""Bands, hop and FFT length (samples), frames; value of 0 and of one step (decades)."""
_STEPS = 255
_SILENCE = math.log10(POWER_FLOOR)
"""Where `log_power` ends: nothing is quieter."""


def encode(pcm: bytes, config: FeatureConfig) -> bytes:
    """Features of PCM16: a header that says what they are, then a byte per cell, frame by frame.

    One frame beyond the sound is computed, as the worker does for samples. Raises `BadAudio` for an
    odd number of bytes.
    """
    return pack(log_power(np.pad(to_float(pcm), (0, config.n_fft)), config), config)


def pack(logs: Floats, config: FeatureConfig) -> bytes:
    """Log powers `[frames, n_mels]` as `encode` writes them."""
    loudest = float(logs.max(initial=_SILENCE))
    floor = max(loudest - DYNAMIC_RANGE, _SILENCE)
    step = (loudest - floor) / _STEPS
    cells = np.zeros(logs.shape, np.uint8)
    if step > 0:
        cells[:] = np.rint((np.maximum(logs, floor) - floor) / step)
    head = _HEAD.pack(config.n_mels, config.hop_length, config.n_fft, logs.shape[0], floor, step)
    return head + cells.tobytes()


def decode(data: bytes, config: FeatureConfig) -> Floats:
    """Log powers `[frames, n_mels]` for a model with this front end.

    Raises `UnsupportedCodec` if they were computed for another one, `BadAudio` if they are damaged.
    """
    if len(data) < _HEAD.size:
        raise BadAudio("the segment's features are cut short")
    n_mels, hop, n_fft, frames, floor, step = _HEAD.unpack_from(data)
    if (n_mels, hop, n_fft) != (config.n_mels, config.hop_length, config.n_fft):
        raise UnsupportedCodec(
            f"the segment's features have {n_mels} bands, a hop of {hop} and an FFT of {n_fft} samples; the "
            f"model takes {config.n_mels}, {config.hop_length} and {config.n_fft}: set WS_MEL_BANDS and "
            "WS_MEL_HOP of the gateways to that, or WS_SEGMENT_CODEC to pcm16"
        )
    if len(data) - _HEAD.size != frames * n_mels:
        raise BadAudio(f"the segment claims {frames} frames of features and carries {len(data)} bytes")
    if not (math.isfinite(floor) and math.isfinite(step)):
        raise BadAudio("the segment's features have no scale")
    cells = np.frombuffer(data, np.uint8, offset=_HEAD.size).reshape(frames, n_mels)
    logs: Floats = cells.astype(np.float32) * np.float32(step) + np.float32(floor)
    return logs
