"""The adaptive window: new connections get longer windows while the service is slow, shorter when fast."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from gateway.settings import GatewaySettings

STEP_S = 0.5
"""Change of the window per decision, seconds."""

_HISTORY = 1000
"""Latencies kept for the average and the 95th percentile of `/metrics/streaming`."""


@dataclass(frozen=True, slots=True)
class AdaptivePolicy:
    """`samples` results must arrive between two changes: the hysteresis, and the average's length."""

    start_s: float
    min_s: float
    max_s: float
    high_ms: float
    low_ms: float
    samples: int
    enabled: bool = True


class AdaptiveWindow:
    """Rolling latency of one process and the window length (seconds) that follows from it. Pure."""

    def __init__(self, policy: AdaptivePolicy) -> None:
        self._policy = policy
        self._recent: deque[float] = deque(maxlen=policy.samples)
        self._history: deque[float] = deque(maxlen=_HISTORY)
        self._window_s = policy.start_s
        if policy.enabled:
            self._window_s = min(max(policy.start_s, policy.min_s), policy.max_s)
        self._count = 0

    @property
    def window_s(self) -> float:
        """What the next new connection takes."""
        return self._window_s

    @property
    def sample_count(self) -> int:
        """Latencies observed since the process started."""
        return self._count

    def observe(self, latency_ms: float) -> None:
        """One result's time from the end of its window to its event, ms."""
        self._count += 1
        self._history.append(latency_ms)
        self._recent.append(latency_ms)
        if not self._policy.enabled or len(self._recent) < self._policy.samples:
            return
        average = sum(self._recent) / len(self._recent)
        if average > self._policy.high_ms:
            self._move(STEP_S)
        elif average < self._policy.low_ms:
            self._move(-STEP_S)

    def average_ms(self) -> float:
        """Mean of the kept latencies, 0 when there are none."""
        return sum(self._history) / len(self._history) if self._history else 0.0

    def p95_ms(self) -> float:
        """95th percentile (nearest rank) of the kept latencies, 0 when there are none."""
        if not self._history:
            return 0.0
        ranked = sorted(self._history)
        return ranked[math.ceil(0.95 * len(ranked)) - 1]

    def _move(self, step_s: float) -> None:
        self._window_s = min(max(self._window_s + step_s, self._policy.min_s), self._policy.max_s)
        self._recent.clear()


def adaptive_policy(settings: GatewaySettings) -> AdaptivePolicy:
    """The part of the settings that this module needs."""
    return AdaptivePolicy(
        start_s=settings.window_s,
        min_s=settings.window_min_s,
        max_s=settings.window_max_s,
        high_ms=settings.adaptive_high_ms,
        low_ms=settings.adaptive_low_ms,
        samples=settings.adaptive_samples,
        enabled=settings.adaptive,
    )
