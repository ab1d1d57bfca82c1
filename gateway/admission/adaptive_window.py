"""The adaptive window: new connections get longer windows while the service is slow or nearly full.

A short window is quick to answer and costs more: half the window is twice the segments. So windows get
shorter than the configured one only while there is room, and longer as the pool fills up, before anybody
is refused.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from gateway.settings import GatewaySettings

STEP_S = 0.5
"""Change of the window per decision, seconds."""

ROOMY = 0.6
"""Share of the pool's session slots in use, above which no window is shorter than the configured one."""
FULL = 0.9
"""Share above which windows grow towards the longest; at 1 they have reached it."""

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
        self._load = 0.0
        self._load_known = False

    @property
    def window_s(self) -> float:
        """What the next new connection takes."""
        if not self._policy.enabled:
            return self._window_s
        return max(self._window_s, self._least_s())

    def note_load(self, utilisation: float) -> None:
        """The share of the pool's session slots in use, as the routers count.

        The first one that leaves room makes windows short at once: nobody has to be slow first.
        """
        self._load = utilisation
        if not self._load_known and self._count == 0 and utilisation < ROOMY and self._policy.enabled:
            self._window_s = self._policy.min_s
        self._load_known = True

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

    def _least_s(self) -> float:
        """The shortest window the pool's load allows."""
        policy = self._policy
        if self._load < ROOMY:
            return policy.min_s
        start_s = min(max(policy.start_s, policy.min_s), policy.max_s)
        share = min(max((self._load - FULL) / (1 - FULL), 0.0), 1.0)
        # Whole steps: sessions of one length can share batches.
        return start_s + STEP_S * round(share * (policy.max_s - start_s) / STEP_S)

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
