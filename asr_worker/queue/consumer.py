"""Takes segments: new ones of a shard in bulk, those of dead workers one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asr_worker.metrics import WorkerMetrics
from asr_worker.queue.in_flight import InFlight
from asr_worker.stop_waits import Retry, first_of, pause
from shared.bus.ports import Claim, WorkQueue
from shared.errors import BusUnavailable
from shared.service.logging import get_logger
from shared.service.throttled_log import ThrottledLog

SUSPECTS_AT_ONCE = 1
"""Segments taken over from dead workers in one go, all shards. One of them may have killed its
worker; innocent ones taken together with it would be delivered as often as it and dropped with it."""

_log = get_logger(__name__)
_repeated = ThrottledLog(_log)


class SegmentConsumer:
    """Reads all shards until told to stop; what it takes goes to `accept`.

    A blocked read is never cancelled (Redis may have delivered what nobody read): `stop` is looked
    at between short reads.
    """

    def __init__(
        self,
        queue: WorkQueue,
        in_flight: InFlight,
        accept: Callable[[Claim], None],
        metrics: WorkerMetrics,
    ) -> None:
        self._queue = queue
        self._in_flight = in_flight
        self._accept = accept
        self._metrics = metrics

    async def read(self, shard: int, max_items: int, block_ms: int, stop: asyncio.Event) -> None:
        """Claim new segments of one shard, no more than there is room for."""
        retry = Retry()
        while not stop.is_set():
            room = self._in_flight.room(shard)
            if not room:
                await first_of(stop, self._in_flight.wait_for_room(shard))
                continue
            try:
                claims = await self._queue.claim(shard, min(room, max_items), block_ms)
            except BusUnavailable as error:
                self._note("claim", shard, error)
                await pause(stop, retry.wait_s())
                continue
            retry.succeeded()
            for claim in claims:
                self._take(claim)

    async def take_over(self, min_idle_ms: int, every_s: float, stop: asyncio.Event) -> None:
        """Reclaim what other workers left; the next one only when the last one is answered."""
        while not stop.is_set():
            found = False
            for shard in range(self._queue.shards):
                for claim in await self._left_behind(shard, min_idle_ms):
                    found = True
                    self._take(claim)
                    await first_of(stop, self._in_flight.wait_until_answered(claim))
            if not found:
                await pause(stop, every_s)

    async def _left_behind(self, shard: int, min_idle_ms: int) -> list[Claim]:
        """Segments of one shard whose worker has not touched them for so long."""
        if not self._in_flight.room(shard):
            return []
        try:
            claims = await self._queue.reclaim(shard, min_idle_ms, SUSPECTS_AT_ONCE)
        except BusUnavailable as error:
            self._note("reclaim", shard, error)
            return []
        for claim in claims:
            self._metrics.reclaimed.inc()
            _log.info(
                "segment_taken_over",
                trace_id=claim.segment.trace_id,
                session_id=claim.segment.session_id,
                seq=claim.segment.seq,
                deliveries=claim.deliveries,
            )
        return claims

    def _take(self, claim: Claim) -> None:
        if self._in_flight.add(claim):
            self._accept(claim)

    def _note(self, call: str, shard: int, error: BusUnavailable) -> None:
        self._metrics.bus_errors.labels(call).inc()
        _repeated.warning("bus_unavailable", key=(call, shard), call=call, shard=shard, error=error.message)
