"""How fast one client's audio is read."""

from __future__ import annotations

from shared.audio.formats import SAMPLE_RATE


class AudioRate:
    """A token bucket in seconds of audio: `burst_s` free, then `rate` times real time. Pure."""

    def __init__(self, rate: float, burst_s: float, now_s: float) -> None:
        self._rate = rate
        self._burst_s = burst_s
        self._credit_s = burst_s
        self._then_s = now_s

    def delay_s(self, samples: int, now_s: float) -> float:
        """Take `samples` in; how long to wait before reading on, seconds (0: not at all)."""
        self._credit_s = min(self._burst_s, self._credit_s + (now_s - self._then_s) * self._rate)
        self._then_s = now_s
        self._credit_s -= samples / SAMPLE_RATE
        return max(0.0, -self._credit_s / self._rate)
