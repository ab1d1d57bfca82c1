"""Commits finished segments of one shard, while the engine is already at the next batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from asr_worker.batching.outcomes import POISON
from asr_worker.metrics import WorkerMetrics
from asr_worker.queue.in_flight import InFlight
from asr_worker.stop_waits import Retry
from shared.bus.ports import Claim, WorkQueue
from shared.errors import BusUnavailable
from shared.protocol.segments import SegmentResult
from shared.service.logging import get_logger
from shared.service.throttled_log import ThrottledLog
from shared.service.tracing import Attribute, Tracing

MAX_AT_ONCE = 64
"""Results committed in one call."""

Finished = tuple[Claim, SegmentResult]
_Answer = TypeVar("_Answer")

_log = get_logger(__name__)
_repeated = ThrottledLog(_log)


class ShardCommitter:
    """Keeps finished results until their shard has taken them.

    Its queue needs no bound of its own: it holds only claims that are in the in_flight, which is
    bounded. While the shard is away it retries with growing waits: commits are idempotent.
    """

    def __init__(
        self,
        shard: int,
        queue: WorkQueue,
        in_flight: InFlight,
        metrics: WorkerMetrics,
        tracing: Tracing,
    ) -> None:
        self._tracing = tracing
        self.shard = shard
        self._queue = queue
        self._in_flight = in_flight
        self._metrics = metrics
        self._finished: asyncio.Queue[Finished | None] = asyncio.Queue()

    def put(self, finished: Finished) -> None:
        self._finished.put_nowait(finished)

    def close(self) -> None:
        """Nothing more will be put; `run` returns after the last commit."""
        self._finished.put_nowait(None)

    async def run(self) -> None:
        closing = False
        while not closing:
            batch: list[Finished] = []
            item = await self._finished.get()
            while item is not None:
                batch.append(item)
                if self._finished.empty() or len(batch) >= MAX_AT_ONCE:
                    break
                item = self._finished.get_nowait()
            closing = item is None
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: Sequence[Finished]) -> None:
        begun_ns = self._tracing.now_ns()
        for claim, result in batch:
            if result.outcome == "dropped" and result.code == POISON:
                await self._until_done("bury", partial(self._queue.bury, claim, result.message))
        outcomes = await self._until_done("commit", partial(self._queue.commit, batch))
        for (claim, result), outcome in zip(batch, outcomes, strict=True):
            self._metrics.committed(result)
            self._trace(result, begun_ns, outcome.committed)
            if not outcome.committed:
                self._metrics.duplicates.inc()
            _log.debug(
                "segment_answered",
                trace_id=claim.segment.trace_id,
                session_id=claim.segment.session_id,
                seq=claim.segment.seq,
                outcome=result.outcome,
                code=result.code,
                committed=outcome.committed,
                queued_ms=result.timings.queued_ms,
                inference_ms=result.timings.inference_ms,
                batch_size=result.batch_size,
            )
        await self._in_flight.remove(claim for claim, _ in batch)

    def _trace(self, result: SegmentResult, begun_ns: int, committed: bool) -> None:
        if result.traceparent:
            attributes: dict[str, Attribute] = {
                "outcome": result.outcome,
                "code": result.code,
                "committed": committed,
            }
            now_ns = self._tracing.now_ns()
            self._tracing.record("commit", result.traceparent, begun_ns, now_ns, **attributes)

    async def _until_done(self, what: str, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        retry = Retry()
        while True:
            try:
                return await call()
            except BusUnavailable as error:
                self._metrics.bus_errors.labels(what).inc()
                wait_s = retry.wait_s()
                _repeated.warning(
                    "bus_unavailable",
                    key=(what, self.shard),
                    call=what,
                    shard=self.shard,
                    error=error.message,
                    wait_s=round(wait_s, 3),
                )
                await asyncio.sleep(wait_s)
