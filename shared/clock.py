"""Time as a dependency: services take a `Clock`, tests take one they can turn by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since 1970, comparable between machines as far as their clocks agree."""
        ...


class SystemClock:
    """The real time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until told to move."""

    def __init__(self, start_s: float = 1_000_000.0) -> None:
        self._now_s = start_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    def monotonic(self) -> float:
        return self._now_s

    def wall_ms(self) -> int:
        return int(self._now_s * 1000)
