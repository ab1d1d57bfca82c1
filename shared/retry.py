"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: the n-th wait is uniform in [0, min(cap, base * 2**n)], seconds."""

    base_s: float = 0.05
    cap_s: float = 2.0

    def wait_s(self, attempt: int, jitter: random.Random) -> float:
        """The wait after `attempt` failures before the last one (from 0)."""
        return jitter.uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** min(attempt, 16)))
