"""Which segments wait too long for their result, and a timer that wakes whoever looks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from shared.clock import Clock


class InFlight(Protocol):
    """The part of a session core that is watched."""

    def oldest_open(self) -> tuple[int, int] | None:
        """(seq, ms when it was pushed) of the segment that waits longest for its result."""
        ...


class OverdueWatch:
    """Of one connection. `check_s`: from when on a segment is overdue; `look_again_s`: the longest sleep
    while a segment is in flight. One timer serves many windows: it is set anew only once it has run out."""

    def __init__(
        self, core: InFlight, clock: Clock, check_s: float, look_again_s: float, wake: Callable[[], None]
    ) -> None:
        self._core = core
        self._clock = clock
        self._check_s = check_s
        self._look_again_s = look_again_s
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waited_s(self) -> float:
        """How long the oldest segment in flight has waited for its result, seconds; 0 if there is none."""
        oldest = self._core.oldest_open()
        return 0.0 if oldest is None else self._clock.monotonic() - oldest[1] / 1000

    @property
    def overdue(self) -> bool:
        """Whether a result should be looked for in the session's log."""
        return self.waited_s >= self._check_s

    def set(self) -> None:
        """Wake once a segment may be overdue; needs nothing while none is in flight."""
        if self._timer is None and self._core.oldest_open() is not None:
            left_s = self._check_s - self.waited_s
            delay_s = min(left_s if left_s > 0 else self._check_s, self._look_again_s)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        if self._core.oldest_open() is not None:
            self._wake()
