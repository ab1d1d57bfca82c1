"""Decoded frames of one format to 16 kHz floats, mono unless told otherwise, through libswresample (PyAV)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from shared.audio.downmix import Mixer, MonoMixer
from shared.audio.formats import SAMPLE_RATE, check_sound

Floats = NDArray[np.float32]

Mix = Callable[[int], Mixer]
"""Makes the mixer of so many channels."""

HIGHEST = 32_768.0
"""Larger values are cut: some programs write floats at the scale of 16-bit samples."""


class Resampler:
    """One run of frames of the same format; its output does not depend on how long the frames are.

    Frames are pushed one by one and taken in larger pieces: turning every frame of 20 ms into an array by
    itself would double the cost of decoding.
    """

    def __init__(self, rate: int, channels: int, layout: str, mix: Mix = MonoMixer) -> None:
        """`layout`: FFmpeg's name of the channels. Raises `BadAudio` for what is out of bounds."""
        check_sound(rate, channels)
        # Packed samples: PyAV reads past the end of the list of planes when there are eight or more.
        self._resampler = av.AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)
        self._channels = channels
        self._mixer = mix(channels)
        self._ready: list[Any] = []
        self.ready_samples = 0

    def push(self, frame: Any) -> None:
        """Resample one frame. Raises `FFmpegError` or `ValueError`."""
        # The resampler refuses frames whose time stamps jump; where the sound belongs is the caller's matter.
        frame.pts = None
        self._keep(self._resampler.resample(frame))

    def take(self) -> Floats:
        """The sound that has become complete since the last call."""
        if not self._ready:
            return self._mixer.push(np.zeros((0, self._channels), np.float32))
        sound = np.concatenate([frame.to_ndarray().reshape(-1, self._channels) for frame in self._ready])
        self._ready, self.ready_samples = [], 0
        # Damaged or hostile floats: no number is silence, and no value is so large that its square is none.
        np.nan_to_num(sound, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return self._mixer.push(np.clip(sound, -HIGHEST, HIGHEST, out=sound))

    def finish(self) -> Floats:
        """The rest of the sound. The resampler cannot be used afterwards."""
        self._keep(self._resampler.resample(None))
        return np.concatenate([self.take(), self._mixer.finish()])

    def _keep(self, frames: list[Any]) -> None:
        self._ready += frames
        self.ready_samples += sum(frame.samples for frame in frames)
