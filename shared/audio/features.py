"""Log-mel features of short windows of audio, in NumPy alone.

The numbers are those of ``faster_whisper.feature_extractor.FeatureExtractor`` for the same
``preprocessor_config.json`` (the Whisper front end of Radford et al., 2022: Hann window of 400
samples, Slaney mel bank, log10, a floor 8 below the peak, then ``(x + 4) / 4``), but a window
costs only its own length: nothing is padded to 30 s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.audio.formats import SAMPLE_RATE

Floats = NDArray[np.float32]

MAX_MEL = 45.245640471924965
"""8 kHz on the Slaney mel scale, the upper edge of the bank (as in faster-whisper)."""
HERTZ_PER_MEL = 200.0 / 3
"""Slope of the linear part of the Slaney scale, below 1 kHz."""
LOG_START_HERTZ = 1000.0
LOG_STEP = float(np.log(6.4) / 27.0)
"""Slope of the logarithmic part of the Slaney scale."""
POWER_FLOOR = 1e-10
DYNAMIC_RANGE = 8.0
"""Values more than this many decades below the window's loudest cell are raised to it."""
TAIL_PADDING = 160
"""Zero samples that faster-whisper appends before framing (its ``padding`` argument)."""


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """Shape of the features; the field names follow ``preprocessor_config.json``."""

    n_mels: int = 80
    hop_length: int = 320
    n_fft: int = 400
    sample_rate: int = SAMPLE_RATE

    @classmethod
    def load(cls, path: Path) -> FeatureConfig:
        """Read a ``preprocessor_config.json`` (or the directory that holds it)."""
        file = path / "preprocessor_config.json" if path.is_dir() else path
        raw = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            n_mels=int(raw.get("feature_size", 80)),
            hop_length=int(raw.get("hop_length", 160)),
            n_fft=int(raw.get("n_fft", 400)),
            sample_rate=int(raw.get("sampling_rate", SAMPLE_RATE)),
        )

    def frames(self, samples: int) -> int:
        """How many frames ``log_mel`` gives for this many samples."""
        return max(0, (samples + TAIL_PADDING) // self.hop_length)


def _mel_to_hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    knee = LOG_START_HERTZ / HERTZ_PER_MEL
    curved = LOG_START_HERTZ * np.exp(LOG_STEP * (mels - knee))
    return np.where(mels >= knee, curved, mels * HERTZ_PER_MEL)


@lru_cache(maxsize=8)
def mel_bank(config: FeatureConfig) -> Floats:
    """Slaney-normalised triangular filters, ``[n_fft // 2 + 1, n_mels]``."""
    bins = np.fft.rfftfreq(config.n_fft, d=1.0 / config.sample_rate)
    edges = _mel_to_hertz(np.linspace(0.0, MAX_MEL, config.n_mels + 2))
    rising = (bins[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - bins[:, None]) / np.diff(edges)[None, 1:]
    bank = np.maximum(0.0, np.minimum(rising, falling))
    bank *= (2.0 / (edges[2:] - edges[:-2]))[None, :]
    return np.ascontiguousarray(bank, dtype=np.float32)


@lru_cache(maxsize=8)
def band_widths(config: FeatureConfig) -> Floats:
    """What a band's power counts for in the power of its frame, ``[n_mels]``: half the width of its triangle,
    which overlaps with both neighbours."""
    edges = _mel_to_hertz(np.linspace(0.0, MAX_MEL, config.n_mels + 2))
    widths: Floats = ((edges[2:] - edges[:-2]) / 2).astype(np.float32)
    return widths


def frame_energy(config: FeatureConfig) -> float:
    """The power of a frame's one-sided spectrum for each unit of its mean square: the length of the transform
    times the energy of its Hann window, 3/8 of that, and half of it for the side that is left out."""
    return config.n_fft * config.n_fft * 3 / 8 / 2


@lru_cache(maxsize=8)
def _hann(n_fft: int) -> Floats:
    return np.hanning(n_fft + 1)[:-1].astype(np.float32)


def _framed(pcm: Floats, config: FeatureConfig) -> Floats:
    """Windowed frames ``[frames, n_fft]``, centred, with reflected edges."""
    half = config.n_fft // 2
    padded = np.pad(pcm, (0, TAIL_PADDING))
    # A reflection needs one sample more than it mirrors; anything shorter is silence anyway.
    mode = "reflect" if padded.size > half else "constant"
    padded = np.pad(padded, (half, half), mode=mode)  # type: ignore[call-overload]
    views = np.lib.stride_tricks.sliding_window_view(padded, config.n_fft)
    count = config.frames(pcm.size)
    framed: Floats = views[:: config.hop_length][:count] * _hann(config.n_fft)
    return framed


def log_power(pcm: Floats, config: FeatureConfig) -> Floats:
    """log10 of the mel powers before clamp and scaling, ``[frames, n_mels]``."""
    if pcm.ndim != 1:
        raise ValueError(f"expected mono samples of one dimension, got shape {pcm.shape}")
    frames = _framed(np.ascontiguousarray(pcm, dtype=np.float32), config)
    spectrum = np.fft.rfft(frames, axis=-1).astype(np.complex64)
    power = spectrum.real**2 + spectrum.imag**2
    mel = power @ mel_bank(config)
    logs: Floats = np.log10(np.maximum(mel, POWER_FLOOR))
    return logs


def scaled(logs: Floats) -> Floats:
    """Clamp to the 8 decades below the loudest cell and scale, any shape."""
    if logs.size == 0:
        return logs
    clamped: Floats = (np.maximum(logs, logs.max() - DYNAMIC_RANGE) + 4.0) / 4.0
    return clamped.astype(np.float32, copy=False)


def log_mel(pcm: Floats, config: FeatureConfig | None = None) -> Floats:
    """Features of one window of mono audio in [-1, 1]: ``[n_mels, frames]``, float32.

    The clamp runs over the samples given: pad only after it, or pad the audio with zeros on
    purpose (a model trained with trailing digital silence expects exactly that).
    """
    config = config or FeatureConfig()
    return np.ascontiguousarray(scaled(log_power(pcm, config)).T)
