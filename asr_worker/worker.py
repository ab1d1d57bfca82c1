"""Claim, decode, commit: one worker, all shards of its pool, one engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from asr_worker.batching import outcomes
from asr_worker.batching.batcher import Batcher, BatchPolicy, GroupKey, Waiting
from asr_worker.batching.executor import EngineExecutor
from asr_worker.batching.linger import Linger
from asr_worker.batching.outcomes import Stages
from asr_worker.batching.prefetch import Job, Prefetcher
from asr_worker.metrics import WorkerMetrics
from asr_worker.queue.committer import ShardCommitter
from asr_worker.queue.consumer import SegmentConsumer
from asr_worker.queue.in_flight import InFlight
from asr_worker.stop_waits import pause
from shared.audio.formats import SAMPLE_RATE
from shared.bus.ports import Claim, WorkQueue
from shared.clock import Clock
from shared.errors import BadRequest, BusUnavailable
from shared.ids import WorkerId
from shared.protocol.segments import Segment, SegmentResult
from shared.service.logging import get_logger
from shared.service.tracing import Attribute, Tracing, Untraced

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """The bounds of one worker; see `WorkerSettings` for each."""

    max_batch: int = 16
    max_in_flight: int = 32
    max_wait_s: float = 0.01
    prepare_ahead: bool = True
    claim_block_ms: int = 250
    reclaim_ms: int = 5000
    reclaim_every_s: float = 1.0
    max_deliveries: int = 3
    drop_expired: bool = False
    stuck_s: float = 60.0
    drain_timeout_s: float = 30.0


class Worker:
    """One worker process's work. `run` returns after a drain; it raises only for bugs."""

    def __init__(
        self,
        worker_id: WorkerId,
        queue: WorkQueue,
        executor: EngineExecutor,
        policy: WorkerPolicy,
        metrics: WorkerMetrics,
        clock: Clock,
        tracing: Tracing | None = None,
    ) -> None:
        tracing = tracing or Untraced()
        self._tracing = tracing
        self.worker_id = worker_id
        self._queue = queue
        self._executor = executor
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        shards = queue.shards
        self._in_flight = InFlight(shards, policy.max_in_flight)
        self._batcher: Batcher[Job] = Batcher(
            BatchPolicy(policy.max_batch, shards * policy.max_in_flight, policy.max_wait_s)
        )
        self._linger = Linger(policy.max_wait_s)
        self._batcher.linger_s = self._linger.wait_s
        self._prefetcher = Prefetcher(executor, self._batcher)
        self._committers = [
            ShardCommitter(s, queue, self._in_flight, metrics, tracing) for s in range(shards)
        ]
        self._consumer = SegmentConsumer(queue, self._in_flight, self._accept, metrics)
        self._work = asyncio.Event()
        self._closing = False
        self._idle_since_s = clock.monotonic()

    @property
    def in_flight(self) -> int:
        """Segments taken and not yet answered."""
        return len(self._in_flight)

    @property
    def sessions(self) -> int:
        """Sessions with a segment in flight here."""
        return len({claim.segment.session_id for claim in self._in_flight.all()})

    @property
    def waiting(self) -> int:
        """Segments that wait for the engine."""
        return len(self._batcher)

    @property
    def stuck(self) -> bool:
        """Whether the batch in work takes so long that it will probably never end."""
        return self._executor.busy_s > self._policy.stuck_s

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, then finish what was taken, commit it, and leave the groups.

        What is not finished after the drain timeout stays pending in Redis for other workers.
        """
        await self._start(stop)
        async with asyncio.TaskGroup() as group:
            aside = [
                group.create_task(self._refresh(), name="refresh-claims"),
                group.create_task(self._prefetcher.run(), name="prepare-ahead"),
            ]
            committers = [group.create_task(c.run(), name=f"commit-{c.shard}") for c in self._committers]
            consumers = self._consumers(group, stop)
            decoder = group.create_task(self._decode_all(), name="decode")
            await stop.wait()
            try:
                async with asyncio.timeout(self._policy.drain_timeout_s):
                    await self._drain(consumers, decoder, committers)
            except TimeoutError:
                _log.warning("drain_timed_out", unanswered=len(self._in_flight))
            for task in (*aside, decoder, *committers, *consumers):
                task.cancel()
        await self._leave()

    def _consumers(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> list[asyncio.Task[None]]:
        policy = self._policy
        readers = [
            group.create_task(
                self._consumer.read(shard, policy.max_batch, policy.claim_block_ms, stop),
                name=f"claim-{shard}",
            )
            for shard in range(self._queue.shards)
        ]
        taking_over = self._consumer.take_over(policy.reclaim_ms, policy.reclaim_every_s, stop)
        return [*readers, group.create_task(taking_over, name="reclaim")]

    async def _start(self, stop: asyncio.Event) -> None:
        """Join the groups; a Redis that is away now is met again by the readers."""
        try:
            await self._queue.start()
        except BusUnavailable as error:
            _log.warning("bus_unavailable", call="start", error=error.message)
            await pause(stop, 0.1)

    async def _drain(
        self,
        consumers: Sequence[asyncio.Task[None]],
        decoder: asyncio.Task[None],
        committers: Sequence[asyncio.Task[None]],
    ) -> None:
        await asyncio.wait(consumers)
        self._closing = True
        self._work.set()
        await asyncio.wait([decoder])
        for committer in self._committers:
            committer.close()
        await asyncio.wait(committers)

    async def _leave(self) -> None:
        try:
            await self._queue.close()
        except BusUnavailable as error:
            _log.warning("bus_unavailable", call="leave", error=error.message)

    def _accept(self, claim: Claim) -> None:
        """Sort one claim: answer it at once if nobody should decode it, else let it wait."""
        segment, now_ms = claim.segment, self._clock.wall_ms()
        stages = Stages(queued_ms=now_ms - segment.created_ms)
        if segment.traceparent:
            pushed_ns, claimed_ns = segment.created_ms * 1_000_000, self._tracing.now_ns()
            attributes: dict[str, Attribute] = {"worker": self.worker_id, "deliveries": claim.deliveries}
            self._tracing.record("queued", segment.traceparent, pushed_ns, claimed_ns, **attributes)
        if claim.deliveries > self._policy.max_deliveries:
            message = (
                f"this part was tried {claim.deliveries - 1} times and its worker died each time; "
                "it will not be tried again"
            )
            self._answer(claim, outcomes.dropped(segment, outcomes.POISON, message, stages, self.worker_id))
            return
        try:
            item = outcomes.engine_item(segment, self._executor.capabilities.features)
        except BadRequest as error:
            self._answer(claim, outcomes.failed(segment, error, stages, self.worker_id))
            return
        alone = claim.entry_id if claim.deliveries > 1 else ""
        now_s = self._clock.monotonic()
        self._batcher.offer(
            Waiting(
                Job(claim, item, stages.queued_ms),
                GroupKey(self._executor.bucket(segment.samples), alone),
                segment.priority == "final",
                int(now_s * 1000) + segment.patience_ms,
                now_s,
            )
        )
        self._metrics.in_flight.set(len(self._in_flight))
        self._work.set()
        if self._executor.busy:
            self._look_ahead()

    def _look_ahead(self) -> None:
        if self._policy.prepare_ahead and len(self._batcher):
            self._prefetcher.wake()

    async def _decode_all(self) -> None:
        """Batch after batch; returns when closing and nothing waits any more."""
        while True:
            await self._prefetcher.settled()
            batch = self._batcher.take(self._clock.monotonic(), self._idle_since_s, closing=self._closing)
            if batch:
                await self._decode(await self._without_expired(batch))
            elif self._closing:
                return
            else:
                await self._wait_for_work()

    async def _wait_for_work(self) -> None:
        self._work.clear()
        wait_s = self._batcher.wait_s(self._clock.monotonic(), self._idle_since_s)
        await pause(self._work, wait_s) if wait_s is not None else await self._work.wait()

    async def _without_expired(self, batch: Sequence[Waiting[Job]]) -> list[Waiting[Job]]:
        """Those that somebody still waits for; `drop_expired` also leaves out partials past their deadline.

        What looks young by the clock of this machine is not asked about.
        """
        now_ms = self._clock.wall_ms()
        old = [waiting for waiting in batch if _looks_old(waiting.payload.claim, now_ms)]
        if not old:
            return list(batch)
        try:
            states = await self._queue.look_up([waiting.payload.claim for waiting in old])
        except BusUnavailable:
            self._metrics.bus_errors.labels("look_up").inc()
            return list(batch)
        for waiting, state in zip(old, states, strict=True):
            claim = waiting.payload.claim
            late = state.age_ms >= claim.segment.patience_ms and not waiting.final
            if state.wanted and not (late and self._policy.drop_expired):
                continue
            batch = [other for other in batch if other is not waiting]
            message = "this part waited too long to be of use; it was not recognised"
            stages = self._stages(waiting, self._clock.monotonic(), 0, 0)
            self._answer(
                claim, outcomes.dropped(claim.segment, outcomes.EXPIRED, message, stages, self.worker_id)
            )
        return list(batch)

    async def _decode(self, batch: Sequence[Waiting[Job]]) -> None:
        if not batch:
            return
        started_s, started_ns = self._clock.monotonic(), self._tracing.now_ns()
        self._look_ahead()
        decoded = await self._executor.decode([waiting.payload.item for waiting in batch], live=True)
        self._idle_since_s = self._clock.monotonic()
        self._linger.batch_done(started_s, self._idle_since_s)
        self._batcher.linger_s = self._linger.wait_s
        audio_s = sum(waiting.payload.item.samples for waiting in batch) / SAMPLE_RATE
        self._metrics.decoded(len(batch), audio_s, decoded.inference_ms)
        capabilities = self._executor.capabilities
        for waiting, outcome in zip(batch, decoded.outcomes, strict=True):
            segment = waiting.payload.claim.segment
            stages = self._stages(waiting, started_s, decoded.inference_ms, len(batch))
            if isinstance(outcome, Exception):
                _log.warning(
                    "segment_failed",
                    trace_id=segment.trace_id,
                    session_id=segment.session_id,
                    seq=segment.seq,
                    error=f"{type(outcome).__name__}: {outcome}",
                )
                result = outcomes.failed(segment, outcome, stages, self.worker_id)
            else:
                result = outcomes.heard(
                    segment, waiting.payload.item, outcome, stages, self.worker_id, capabilities
                )
            self._trace(segment, stages, started_ns)
            self._answer(waiting.payload.claim, result)

    def _trace(self, segment: Segment, stages: Stages, started_ns: int) -> None:
        """Its wait for the engine, and its batch."""
        if not segment.traceparent:
            return
        waited_from_ns = started_ns - stages.batch_ms * 1_000_000
        self._tracing.record("batch", segment.traceparent, waited_from_ns, started_ns)
        now_ns, size = self._tracing.now_ns(), stages.batch_size
        self._tracing.record(
            "decode", segment.traceparent, started_ns, now_ns, batch_size=size, worker=self.worker_id
        )

    def _stages(self, waiting: Waiting[Job], started_s: float, inference_ms: int, size: int) -> Stages:
        batch_ms = round((started_s - waiting.arrived_s) * 1000)
        return Stages(waiting.payload.queued_ms, batch_ms, inference_ms, size)

    def _answer(self, claim: Claim, result: SegmentResult) -> None:
        self._committers[claim.shard].put((claim, result))

    async def _refresh(self) -> None:
        """Keep others from taking over what is still in work here; a stuck batch is let go."""
        while True:
            await asyncio.sleep(self._policy.reclaim_ms / 3000)
            self._metrics.in_flight.set(len(self._in_flight))
            claims = self._in_flight.all()
            if not claims or self.stuck:
                continue
            try:
                await self._queue.refresh(claims)
            except BusUnavailable:
                self._metrics.bus_errors.labels("refresh").inc()


def _looks_old(claim: Claim, now_ms: int) -> bool:
    """Whether its deadline may have passed: an entry's id begins with the store's time of its push, ms."""
    pushed_ms = int(claim.entry_id.partition("-")[0])
    return claim.deliveries > 1 or now_ms - pushed_ms >= claim.segment.patience_ms
