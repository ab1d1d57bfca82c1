"""The quality that new sessions of each pool get, and what they do without because of load."""

from __future__ import annotations

import math
from collections import deque
from functools import partial
from typing import NamedTuple

import msgspec

from gateway.admission.pools import ModelCatalogue
from gateway.admission.quality_ladder import QualityLadder, QualityStep, quality_policy
from gateway.metrics import GatewayMetrics
from gateway.session.options import SessionOptions
from gateway.settings import GatewaySettings
from shared.ids import PoolName

_HISTORY = 1000
"""Latencies kept for the average and the 95th percentile of `/metrics/streaming`."""


class Terms(NamedTuple):
    """What a new session gets, and the steps that made it less than it asked for."""

    options: SessionOptions
    lowered: tuple[QualityStep, ...] = ()


class LatencyHistory:
    """The latest latencies of all pools, ms."""

    def __init__(self) -> None:
        self._kept: deque[float] = deque(maxlen=_HISTORY)
        self.count = 0
        """Latencies observed since the process started."""

    def observe(self, latency_ms: float) -> None:
        self.count += 1
        self._kept.append(latency_ms)

    def average_ms(self) -> float:
        """Mean of the kept latencies, 0 when there are none."""
        return sum(self._kept) / len(self._kept) if self._kept else 0.0

    def p95_ms(self) -> float:
        """95th percentile (nearest rank) of the kept latencies, 0 when there are none."""
        if not self._kept:
            return 0.0
        ranked = sorted(self._kept)
        return ranked[math.ceil(0.95 * len(ranked)) - 1]


class Quality:
    """One ladder for each pool that has been seen; pools are the operator's, so they are few."""

    def __init__(self, settings: GatewaySettings, models: ModelCatalogue, metrics: GatewayMetrics) -> None:
        self._settings = settings
        self._models = models
        self._metrics = metrics
        self._ladders: dict[PoolName, QualityLadder] = {}
        self.latencies = LatencyHistory()
        for pool in models.names:
            self.of(pool)
        for step in tuple(QualityStep)[1:]:
            # Shown from the beginning: a counter that appears with a 1 has no rate.
            metrics.lowered_sessions.labels(step.name.lower())

    def of(self, pool: PoolName) -> QualityLadder:
        """The ladder of this pool."""
        ladder = self._ladders.get(pool)
        if ladder is None:
            # Only who chose no model is given the fast one: only the default pool has that step.
            fast = self._models.fast not in (None, pool) and pool == self._models.default
            last = QualityStep.FAST_MODEL if fast else QualityStep.NO_INTERIM
            ladder = self._ladders[pool] = QualityLadder(quality_policy(self._settings, last))
            self._metrics.quality_step.labels(pool).set_function(partial(_step_of, ladder))
        return ladder

    def note_load(self, pool: PoolName, utilisation: float) -> None:
        """The share of a pool's session slots in use, as the routers count."""
        self.of(pool).note_load(utilisation)

    def observe(self, pool: PoolName, latency_ms: float) -> None:
        """One result's time from the end of its window to its event, ms."""
        self.latencies.observe(latency_ms)
        self.of(pool).observe(latency_ms)

    def pool_for(self, model: str) -> PoolName:
        """Where a new session goes now: the pool `model` that it chose, or the service's choice for it."""
        if model:
            return PoolName(model)
        default, fast = self._models.default, self._models.fast
        if fast is not None and self.of(default).step >= QualityStep.FAST_MODEL:
            return fast
        return default

    def terms(self, options: SessionOptions) -> Terms:
        """What a new session that asks for `options` gets now."""
        lowered: list[QualityStep] = []
        pool = self.pool_for(options.model)
        if not options.model and pool != self._models.default:
            options = msgspec.structs.replace(options, model=pool)
            lowered.append(QualityStep.FAST_MODEL)
        step = self.of(pool).step
        if step >= QualityStep.NO_INTERIM and options.interim_results:
            options = msgspec.structs.replace(options, interim_results=False)
            lowered.append(QualityStep.NO_INTERIM)
        if step >= QualityStep.LONG_WINDOWS:
            lowered.append(QualityStep.LONG_WINDOWS)
        return Terms(options, tuple(lowered))


def _step_of(ladder: QualityLadder) -> float:
    return float(ladder.step)
