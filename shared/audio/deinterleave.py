"""Interleaved samples of several channels, taken apart. Pure."""

from __future__ import annotations

import numpy as np


class Deinterleaver:
    """The channels of one stream of bytes, whose pieces may end anywhere."""

    def __init__(self, channels: int, sample_bytes: int) -> None:
        """`sample_bytes`: of one sample of one channel."""
        self._channels = channels
        self._sample = np.dtype(f"V{sample_bytes}")
        self._begun = b""

    def feed(self, data: bytes) -> list[bytes]:
        """What each channel has of the samples that are complete with `data`."""
        data = self._begun + data
        whole = len(data) - len(data) % (self._channels * self._sample.itemsize)
        self._begun = data[whole:]
        samples = np.frombuffer(data[:whole], self._sample).reshape(-1, self._channels)
        return [samples[:, channel].tobytes() for channel in range(self._channels)]
