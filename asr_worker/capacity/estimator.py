"""How many live sessions a worker can hold at its latency target: measured, smoothed. Pure.

Two judgements, the lower counts. The *ceiling* is arithmetic: what a batch costs (first guessed by a
few batches at the start, then followed by every batch), how many segments fit into a batch that is done
in time, and how often a session sends one. The *limit* is experience: it starts at a careful share of
the ceiling, grows while it is nearly used and latency is good, and shrinks while latency is bad, whatever
the reason: a neighbour that takes the cores makes segments wait although the engine has time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

UTILISATION = 0.8
"""Share of its greatest throughput an engine may have to give at the ceiling; beyond it queues grow
without bound. How busy it is says little: it takes small batches as long as it can."""
BATCH_SHARE = 3.0
"""A batch may take this fraction of the target: a segment may have to wait for one and a half of them."""
GROWTH = 0.25
"""Largest step up, as a share of the limit; the nearer latency comes to `ROOM_SHARE`, the smaller it is."""
SHRINK = 0.8
"""Factor of a step down."""
RECOVERY = 0.02
"""Growth per second after a bad time, while segments show that it is over."""
GOOD_SHARE = 0.5
"""Latency counts as good up to this share of the target; between it and the target nothing changes."""
ROOM_SHARE = 0.3
"""Below this share there is room to try more: near saturation a tenth more load may triple the latency."""
USED_SHARE = 0.8
"""The limit grows only while this share of it is in use."""
STRIKES = 2
"""Bad judgements in a row after which a worker offers no more than it carries."""
LEAST_SHARE = 0.5
"""Less than this share of what it carries is never offered: it would keep nobody more out."""
EVIDENCE = 20
"""Segments a judgement needs; fewer say nothing about a 95th percentile."""
MOST_LATENCIES = 4096
"""Latencies kept at most, whatever their age."""
SMOOTH_S = 5.0
"""Time constant (s) of the load; the cost of batches is smoothed twice as long."""
PRIOR_MS = 200.0
"""Weight of the first guess: as if it had been seen for so long (ms of engine time)."""
STILL = 0.05
"""A new figure that differs by less than this share is not worth telling the routers."""


@dataclass(frozen=True, slots=True)
class CapacityPolicy:
    """Bounds and aims. Times in the unit of their names, sessions as counts.

    `window_s`, `overlap_s`: what gateways cut before the first segment has been seen.
    `start_share`: share of the ceiling that is offered before there is any experience.
    """

    target_ms: float = 500.0
    max_batch: int = 16
    window_s: float = 2.5
    overlap_s: float = 0.5
    min_sessions: int = 2
    max_sessions: int = 100_000
    start_share: float = 0.3
    window_of_evidence_s: float = 10.0


class BatchCost(NamedTuple):
    """Engine time of a batch: so much for itself, and so much per second of its audio, ms."""

    batch_ms: float
    audio_s_ms: float

    def of(self, audio_s: float) -> float:
        """Milliseconds of a batch with so much audio."""
        return self.batch_ms + self.audio_s_ms * audio_s


class Assessment(NamedTuple):
    """What a worker says about itself. `p95_ms` 0: too few segments to tell. `busy`: share of time."""

    sessions: int
    service_rate: float
    p95_ms: float
    busy: float


def cost_of(small: tuple[float, float], large: tuple[float, float]) -> BatchCost:
    """The cost model through two measured batches, each (seconds of audio, ms)."""
    (few_s, few_ms), (many_s, many_ms) = small, large
    most = max(few_ms, 0.02) / few_s  # all of the small batch's time, as if nothing were shared
    slope = (many_ms - few_ms) / (many_s - few_s) if many_s > few_s else most
    slope = min(max(slope, 0.01), most)
    return BatchCost(max(0.0, few_ms - slope * few_s), slope)


class CapacityModel:
    """See the module. Times of all methods are seconds of one monotonic clock."""

    def __init__(self, policy: CapacityPolicy, cost: BatchCost, now_s: float) -> None:
        self._policy = policy
        self._cost = cost
        self._now_s = now_s
        self._changed_s = now_s
        self._segments = 0
        self._engine_ms = 0.0
        self._expected_ms = 0.0
        self._spent_ms = 0.0
        self._window_s = policy.window_s
        self._rate = 0.0
        self._busy = 0.0
        self._latencies: deque[tuple[float, float]] = deque(maxlen=MOST_LATENCIES)
        self._skew_ms = math.inf
        self._strikes = 0
        self._limit = self._start
        self._told = 0

    # -- what happens ------------------------------------------------------------------------------
    def decoded(self, segments: int, audio_s: float, engine_ms: float) -> None:
        """One batch of live segments."""
        if segments <= 0:
            return
        self._segments += segments
        self._engine_ms += engine_ms
        self._spent_ms += engine_ms
        self._expected_ms += self._cost.of(audio_s)
        weight = min(1.0, segments / 64)
        self._window_s += weight * (audio_s / segments - self._window_s)

    def answered(self, now_s: float, queued_ms: float, worked_ms: float) -> None:
        """One segment: how long it waited in Redis by the gateway's clock, and here by ours.

        The smallest wait seen is taken for the difference of the two clocks; it is let grow slowly.
        """
        self._skew_ms = min(self._skew_ms, queued_ms)
        self._latencies.append((now_s, queued_ms - self._skew_ms + worked_ms))

    # -- what follows from it ----------------------------------------------------------------------
    def assess(self, now_s: float, leased: int = 0) -> Assessment:
        """Judge what happened since the last call. `leased`: sessions the routers have given to it."""
        elapsed_s = now_s - self._now_s
        if elapsed_s > 0:
            self._follow_load(elapsed_s)
            self._now_s = now_s
        self._forget(now_s - self._policy.window_of_evidence_s)
        p95_ms = self._p95_ms()
        carried = self._rate * self._hop_s
        self._judge(now_s, elapsed_s, p95_ms, carried, leased)
        fine = p95_ms is not None and p95_ms <= self._policy.target_ms
        sessions = min(self._limit, self._ceiling)
        return Assessment(
            sessions=self._tell(max(sessions, min(carried, leased)) if fine else sessions),
            service_rate=self.service_rate,
            p95_ms=p95_ms or 0.0,
            busy=self._busy,
        )

    @property
    def service_rate(self) -> float:
        """Segments per second the engine decodes in the largest batches that are done in time."""
        size = self._batch_size()
        return 1000 * size / self._batch_ms(size)

    # -- inside ------------------------------------------------------------------------------------
    @property
    def _hop_s(self) -> float:
        """Seconds between two segments of one session."""
        return max(self._window_s - self._policy.overlap_s, self._window_s / 2, 0.1)

    @property
    def _ceiling(self) -> float:
        return UTILISATION * self.service_rate * self._hop_s

    @property
    def _start(self) -> float:
        return max(self._policy.start_share * self._ceiling, self._policy.min_sessions)

    @property
    def _slowness(self) -> float:
        """What batches take now, as a multiple of what they should take by the first guess."""
        return (self._spent_ms + PRIOR_MS) / (self._expected_ms + PRIOR_MS)

    def _batch_ms(self, size: int) -> float:
        return max(0.05, self._slowness * self._cost.of(size * self._window_s))

    def _batch_size(self) -> int:
        """The largest batch that takes no more than its share of the target; at least one segment."""
        within_ms = self._policy.target_ms / BATCH_SHARE
        spare_ms = within_ms / self._slowness - self._cost.batch_ms
        fitting = int(spare_ms / (self._cost.audio_s_ms * self._window_s))
        return min(max(fitting, 1), self._policy.max_batch)

    def _follow_load(self, elapsed_s: float) -> None:
        weight = 1 - math.exp(-elapsed_s / SMOOTH_S)
        self._rate += weight * (self._segments / elapsed_s - self._rate)
        self._busy += weight * (min(1.0, self._engine_ms / 1000 / elapsed_s) - self._busy)
        self._segments, self._engine_ms = 0, 0.0
        fading = math.exp(-elapsed_s / (2 * SMOOTH_S))
        self._spent_ms *= fading
        self._expected_ms *= fading
        self._skew_ms += elapsed_s  # a millisecond per second: clocks drift far slower

    def _forget(self, before_s: float) -> None:
        while self._latencies and self._latencies[0][0] < before_s:
            self._latencies.popleft()

    def _p95_ms(self) -> float | None:
        if len(self._latencies) < EVIDENCE:
            return None
        ranked = sorted(latency for _, latency in self._latencies)
        return ranked[math.ceil(0.95 * len(ranked)) - 1]

    def _judge(
        self, now_s: float, elapsed_s: float, p95_ms: float | None, carried: float, leased: int
    ) -> None:
        policy = self._policy
        if p95_ms is not None and p95_ms > policy.target_ms:
            if now_s - self._changed_s >= SMOOTH_S:
                self._shrink(carried)
                self._changed_s = now_s
                self._latencies.clear()  # the next judgement needs new evidence
        elif p95_ms is None or p95_ms <= GOOD_SHARE * policy.target_ms:
            self._strikes = 0 if p95_ms is not None else self._strikes
            self._recover(now_s, elapsed_s, p95_ms, max(carried, leased))
        self._limit = max(min(self._limit, self._ceiling), policy.min_sessions)

    def _shrink(self, carried: float) -> None:
        """A step down; where it stays bad, below what is carried, so that nobody new comes in."""
        self._strikes += 1
        least = min(self._limit, LEAST_SHARE * carried)
        self._limit *= SHRINK
        if self._strikes >= STRIKES:
            self._limit = min(self._limit, SHRINK * carried)
        self._limit = max(self._limit, least)

    def _recover(self, now_s: float, elapsed_s: float, p95_ms: float | None, used: float) -> None:
        """Back to the careful share: within a minute when idle, slowly when at work, since what was
        bad may be bad again. Beyond it only by trial, step by step."""
        if self._limit < self._start:
            step = self._start / 60 if p95_ms is None else RECOVERY * self._limit
            self._limit = min(self._start, self._limit + step * elapsed_s)
        elif (
            p95_ms is not None
            and p95_ms < ROOM_SHARE * self._policy.target_ms
            and used >= USED_SHARE * self._limit
            and now_s - self._changed_s >= SMOOTH_S
        ):
            self._limit *= 1 + GROWTH * (1 - p95_ms / (ROOM_SHARE * self._policy.target_ms))
            self._changed_s = now_s

    def _tell(self, sessions: float) -> int:
        policy = self._policy
        wanted = min(max(int(sessions), policy.min_sessions), policy.max_sessions)
        if abs(wanted - self._told) > STILL * self._told or wanted == policy.max_sessions:
            self._told = wanted
        return self._told
