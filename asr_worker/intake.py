"""Takes segments of one shard: new ones in bulk, those of dead workers one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asr_worker.ledger import Ledger
from asr_worker.metrics import WorkerMetrics
from asr_worker.waiting import Retry, first_of, pause
from shared.bus.ports import Claim, WorkQueue
from shared.errors import BusUnavailable
from shared.logging import get_logger

SUSPECTS_AT_ONCE = 1
"""Segments taken over from a dead worker in one go. One of them may have killed it; taken together,
innocent ones would be delivered as often as the guilty one and be dropped with it."""

_log = get_logger(__name__)


class ShardIntake:
    """Reads one shard until told to stop; what it takes goes to `accept`.

    A blocked read is never cancelled (Redis may have delivered what nobody read): `stop` is looked
    at between short reads.
    """

    def __init__(
        self,
        shard: int,
        queue: WorkQueue,
        ledger: Ledger,
        accept: Callable[[Claim], None],
        metrics: WorkerMetrics,
        *,
        max_items: int,
        block_ms: int,
        reclaim_ms: int,
        reclaim_every_s: float,
    ) -> None:
        self.shard = shard
        self._queue = queue
        self._ledger = ledger
        self._accept = accept
        self._metrics = metrics
        self._max_items = max_items
        self._block_ms = block_ms
        self._reclaim_ms = reclaim_ms
        self._reclaim_every_s = reclaim_every_s

    async def read(self, stop: asyncio.Event) -> None:
        """Claim new segments, no more than there is room for."""
        retry = Retry()
        while not stop.is_set():
            room = self._ledger.room(self.shard)
            if not room:
                await first_of(stop, self._ledger.wait_for_room(self.shard))
                continue
            try:
                claims = await self._queue.claim(self.shard, min(room, self._max_items), self._block_ms)
            except BusUnavailable as error:
                await self._bus_away("claim", error, retry, stop)
                continue
            retry.succeeded()
            for claim in claims:
                self._take(claim)

    async def take_over(self, stop: asyncio.Event) -> None:
        """Reclaim what other workers left; the next one only when the last one is answered."""
        retry = Retry()
        while not stop.is_set():
            if not self._ledger.room(self.shard):
                await first_of(stop, self._ledger.wait_for_room(self.shard))
                continue
            try:
                claims = await self._queue.reclaim(self.shard, self._reclaim_ms, SUSPECTS_AT_ONCE)
            except BusUnavailable as error:
                await self._bus_away("reclaim", error, retry, stop)
                continue
            retry.succeeded()
            for claim in claims:
                _log.info(
                    "segment_taken_over",
                    trace_id=claim.segment.trace_id,
                    session_id=claim.segment.session_id,
                    seq=claim.segment.seq,
                    deliveries=claim.deliveries,
                )
                self._metrics.reclaimed.inc()
                self._take(claim)
                await first_of(stop, self._ledger.wait_until_answered(claim))
            if not claims:
                await pause(stop, self._reclaim_every_s)

    def _take(self, claim: Claim) -> None:
        if self._ledger.add(claim):
            self._accept(claim)

    async def _bus_away(self, call: str, error: BusUnavailable, retry: Retry, stop: asyncio.Event) -> None:
        self._metrics.bus_errors.labels(call).inc()
        wait_s = retry.wait_s()
        _log.warning(
            "bus_unavailable", call=call, shard=self.shard, error=error.message, wait_s=round(wait_s, 3)
        )
        await pause(stop, wait_s)
