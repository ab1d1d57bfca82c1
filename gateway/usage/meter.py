"""Counts what this gateway's tenants use, and hands it to the store every few seconds."""

from __future__ import annotations

import asyncio
import datetime as dt

from gateway.metrics import GatewayMetrics
from gateway.usage.store import UsageBatch, UsageKey, UsageStore, Used
from shared.audio.formats import SAMPLE_RATE
from shared.clock import Clock
from shared.errors import BusUnavailable
from shared.ids import new_trace_id
from shared.service.logging import get_logger

MAX_KEYS = 10_000
"""Pairs of tenant and pool between two hand-overs; what is beyond goes to `OTHERS`."""
OTHERS = "(others)"
_LAST_S = 3.0
"""How long the last hand-over may take when the gateway stops, seconds."""

_log = get_logger(__name__)


class UsageMeter:
    """What was counted and not yet added to the store lives here; a store that is away is tried again."""

    def __init__(self, store: UsageStore, clock: Clock, metrics: GatewayMetrics) -> None:
        self.store = store
        self._clock = clock
        self._metrics = metrics
        self._counted: dict[UsageKey, Used] = {}
        self._batch: UsageBatch | None = None

    def count(self, tenant: str, pool: str, *, samples: int = 0, sessions: int = 0, words: int = 0) -> None:
        """Add to what this tenant used of this pool. `samples` at 16 kHz."""
        key = UsageKey(tenant, pool)
        if key not in self._counted and len(self._counted) >= MAX_KEYS:
            key = UsageKey(OTHERS, pool)
        self._counted[key] = self._counted.get(key, Used()).plus(Used(samples, sessions, words))
        self._metrics.count_usage(key.tenant, pool, samples / SAMPLE_RATE, sessions, words)

    async def hand_over(self) -> bool:
        """Add what was counted to the store; False if the store is away and it has to be done again."""
        while True:
            if self._batch is None:
                if not self._counted:
                    return True
                day = dt.datetime.fromtimestamp(self._clock.wall_ms() / 1000, dt.UTC).date()
                self._batch = UsageBatch(new_trace_id(), day, self._counted)
                self._counted = {}
            try:
                await self.store.add(self._batch)
            except BusUnavailable as error:
                _log.warning("usage_not_added", error=error.message)
                return False
            self._batch = None

    async def run(self, every_s: float) -> None:
        """Hand over every `every_s`, until cancelled; then once more, for a short time."""
        try:
            while True:
                await asyncio.sleep(every_s)
                await self.hand_over()
        finally:
            try:
                async with asyncio.timeout(_LAST_S):
                    await self.hand_over()
            except TimeoutError:
                _log.warning("usage_not_added", error=f"the store has not answered within {_LAST_S:g} s")
