"""How long a connection may go on without audio. Pure: the caller says what time it is."""

from __future__ import annotations

from shared.audio.formats import SAMPLE_RATE

LEAST_SAMPLES = SAMPLE_RATE // 10
"""Audio that counts as a sign of life, samples: a byte now and then holds no place."""


STAY_S = 300.0
"""How long a client that only says that it stays keeps its place, seconds since its last audio."""


class IdleClock:
    """`first_s` until the first audio, `idle_s` from then on; audio moves it, and who says that it stays."""

    def __init__(self, first_s: float, idle_s: float, now_s: float) -> None:
        self._limit_s = min(first_s, idle_s)
        self._idle_s = idle_s
        self._active_s = now_s
        self._samples = 0
        self._audio_s = now_s

    @property
    def limit_s(self) -> float:
        """What holds now."""
        return self._limit_s

    def hear(self, samples: int, now_s: float) -> None:
        """So much audio came."""
        self._samples += samples
        if self._samples >= LEAST_SAMPLES:
            self._samples = 0
            self._active_s = now_s
            self._limit_s = self._idle_s
            self._audio_s = now_s

    def restart(self, now_s: float) -> None:
        """The client could not send, because it was not read."""
        self._active_s = now_s

    def stay(self, now_s: float) -> None:
        """The client says that it stays without audio, which it may for `STAY_S`."""
        if now_s - self._audio_s < STAY_S:
            self._active_s = now_s

    def left_s(self, now_s: float) -> float:
        return self._limit_s - (now_s - self._active_s)
