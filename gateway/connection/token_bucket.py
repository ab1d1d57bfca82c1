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
        credit = self._credit + (now_s - self._then_s) * self._rate
        if credit > self._burst:
            credit = self._burst
        self._then_s = now_s
        self._credit = credit = credit - amount
        return 0.0 if credit >= 0 else -credit / self._rate
