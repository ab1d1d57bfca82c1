"""How fast a client may do something: a token bucket."""

from __future__ import annotations


class TokenBucket:
    """`burst` at once, then `rate` per second of time. Pure: the caller says what time it is."""

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._credit = burst
        self._then_s = now_s

    def take(self, amount: float, now_s: float) -> float:
        """Take `amount`; how long to wait before taking more, seconds (0: not at all)."""
        self._credit = min(self._burst, self._credit + (now_s - self._then_s) * self._rate)
        self._then_s = now_s
        self._credit -= amount
        return max(0.0, -self._credit / self._rate)
