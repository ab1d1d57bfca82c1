"""Quality follows load: new sessions get less, step by step, and more again when the load is over.

A short window is quick to answer and costs more: half the window is twice the segments. So windows get
shorter than the configured one only while there is room, and longer as the pool fills up or its answers get
slow. Once they are the longest, further steps follow, before anybody is refused.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

from gateway.settings import GatewaySettings

STEP_S = 0.5
"""Change of the window per decision, seconds."""

ROOMY = 0.6
"""Share of the pool's session slots in use, above which no window is shorter than the configured one."""
FULL = 0.9
"""Share above which windows grow towards the longest; at 1 they have reached it."""


class QualityStep(enum.IntEnum):
    """What new sessions do without, and without what stands before it. The value is what the metric shows.

    How long the windows of recitations are follows load and latency more finely: `QualityLadder.window_s`."""

    FULL = 0
    LONG_WINDOWS = 1
    NO_INTERIM = 2
    FAST_MODEL = 3


_BEYOND_WINDOWS = (
    (QualityStep.NO_INTERIM, 0.95, 0.85),
    (QualityStep.FAST_MODEL, 1.0, 0.9),
)
"""A step, the share of slots in use from which it holds, and the share below which it ends. The distance
between the two is the hysteresis: whoever leaves because of a step must not end it at once."""


@dataclass(frozen=True, slots=True)
class QualityPolicy:
    """`samples` results must arrive between two changes: the hysteresis, and the average's length.

    Windows in seconds, latencies in ms. `last`: the last step there is.
    """

    start_s: float
    min_s: float
    max_s: float
    high_ms: float
    low_ms: float
    samples: int
    enabled: bool = True
    last: QualityStep = QualityStep.NO_INTERIM


class QualityLadder:
    """Where one pool stands: its rolling latency and its load, and the window and step that follow. Pure."""

    def __init__(self, policy: QualityPolicy) -> None:
        self._policy = policy
        self._recent: deque[float] = deque(maxlen=policy.samples)
        self._window_s = policy.start_s
        if policy.enabled:
            self._window_s = min(max(policy.start_s, policy.min_s), policy.max_s)
        self._slow_steps = 0
        self._load_step = QualityStep.FULL
        self._load = 0.0
        self._load_known = False
        self._observed = False

    @property
    def window_s(self) -> float:
        """What the next new session takes."""
        if not self._policy.enabled:
            return self._window_s
        return max(self._window_s, self._least_s())

    @property
    def step(self) -> QualityStep:
        """What the next new session has to do without."""
        policy = self._policy
        if not policy.enabled:
            return QualityStep.FULL
        windows = QualityStep.LONG_WINDOWS if self.window_s > policy.start_s else QualityStep.FULL
        slow = QualityStep.LONG_WINDOWS + self._slow_steps if self._slow_steps else QualityStep.FULL
        return QualityStep(min(max(windows, slow, self._load_step), policy.last))

    def note_load(self, utilisation: float) -> None:
        """The share of the pool's session slots in use, as the routers count.

        The first one that leaves room makes windows short at once: nobody has to be slow first.
        """
        policy = self._policy
        if not self._load_known and not self._observed and utilisation < ROOMY and policy.enabled:
            self._window_s = policy.min_s
        self._load_known = True
        self._load = utilisation
        holding = QualityStep.FULL
        for step, from_share, until_share in _BEYOND_WINDOWS:
            if utilisation >= (until_share if self._load_step >= step else from_share):
                holding = step
        self._load_step = holding

    def observe(self, latency_ms: float) -> None:
        """One result's time from the end of its window to its event, ms."""
        self._observed = True
        self._recent.append(latency_ms)
        if not self._policy.enabled or len(self._recent) < self._policy.samples:
            return
        average = sum(self._recent) / len(self._recent)
        if average > self._policy.high_ms:
            self._lower()
        elif average < self._policy.low_ms:
            self._raise()

    def _lower(self) -> None:
        """Windows first, then the steps beyond them."""
        policy = self._policy
        if self._window_s < policy.max_s:
            self._window_s = min(self._window_s + STEP_S, policy.max_s)
        elif self._slow_steps < policy.last - QualityStep.LONG_WINDOWS:
            self._slow_steps += 1
        self._recent.clear()

    def _raise(self) -> None:
        """The way back is the way down: the last step first."""
        if self._slow_steps:
            self._slow_steps -= 1
        else:
            self._window_s = max(self._window_s - STEP_S, self._policy.min_s)
        self._recent.clear()

    def _least_s(self) -> float:
        """The shortest window the pool's load allows."""
        policy = self._policy
        if self._load < ROOMY:
            return policy.min_s
        start_s = min(max(policy.start_s, policy.min_s), policy.max_s)
        share = min(max((self._load - FULL) / (1 - FULL), 0.0), 1.0)
        # Whole steps: sessions of one length can share batches.
        return start_s + STEP_S * round(share * (policy.max_s - start_s) / STEP_S)


def quality_policy(settings: GatewaySettings, last: QualityStep) -> QualityPolicy:
    """The part of the settings that this module needs."""
    return QualityPolicy(
        start_s=settings.window_s,
        min_s=settings.window_min_s,
        max_s=settings.window_max_s,
        high_ms=settings.adaptive_high_ms,
        low_ms=settings.adaptive_low_ms,
        samples=settings.adaptive_samples,
        enabled=settings.adaptive,
        last=last,
    )
