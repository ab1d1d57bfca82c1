"""The gateway's side of enhancement jobs: accept a session's audio, tell how its job is, forget it.

What is accepted stands in the store before its client hears of it, so neither a gateway nor a worker nor a
Redis that dies loses it: `sweep` hands every job without an outcome to a worker again.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Literal, NamedTuple, Protocol

from gateway.metrics import GatewayMetrics
from gateway.usage.meter import UsageMeter
from shared.clock import Clock
from shared.enhancement import records
from shared.enhancement.records import (
    AUDIO,
    ORDER,
    OUTCOME,
    SESSIONS,
    EnhanceJob,
    Order,
    Outcome,
    path,
)
from shared.enhancement.store import Kept, KeptObjects
from shared.errors import RattilError, StateLost, Unavailable, UnknownJob
from shared.ids import Epoch, PoolName, SessionId
from shared.protocol.segments import TaskOptions
from shared.service.logging import get_logger

_log = get_logger(__name__)

Status = Literal["queued", "running", "done", "failed"]


class StoreFull(Unavailable):
    """As many bytes are kept as the operator allows."""

    code = "recordings_full"


class EnhanceQueue(Protocol):
    """The way to the workers. All raise `BusUnavailable`, or `QueueFull`."""

    async def add(self, job: EnhanceJob, pool: PoolName) -> None:
        """Hand a job over. One that waits or runs already is left as it is."""
        ...

    async def running(self, job_id: str) -> bool:
        """Whether a worker has it in work."""
        ...

    async def forget(self, job_id: str) -> None:
        """Take it back, if no worker has begun."""
        ...

    async def close(self) -> None: ...


class Limits(NamedTuple):
    """`keep_s`: how long a transcript is kept, and how long a job may wait for a worker, seconds.
    `max_bytes`: what may be kept of all jobs together. `save_s`: longest time to write one recording."""

    keep_s: float
    max_bytes: int
    save_s: float = 60.0


class JobState(NamedTuple):
    """How a job is. `outcome`: once it is done or has failed."""

    status: Status
    order: Order
    outcome: Outcome | None


class Enhancements:
    """Every job of one store."""

    def __init__(
        self,
        store: KeptObjects,
        queue: EnhanceQueue,
        limits: Limits,
        clock: Clock,
        metrics: GatewayMetrics,
        usage: UsageMeter,
    ) -> None:
        """`usage`: counts the audio of each job once, for the pool that is to hear it."""
        self._usage = usage
        self._store = store
        self._queue = queue
        self._limits = limits
        self._clock = clock
        self._counted = metrics.enhancements

    async def accept(
        self,
        session_id: SessionId,
        epoch: Epoch,
        tenant: str,
        pool: PoolName,
        pcm16: bytes,
        options: TaskOptions,
        passage: str = "",
    ) -> str:
        """Keep the audio, and give the id of its job: the same one for the same session.

        `passage`: see `Order`. Raises `StoreFull`, or `Unavailable` where the store cannot be used in time:
        then nothing is promised.
        """
        try:
            async with asyncio.timeout(self._limits.save_s):
                order = Order(
                    records.new_job_id(),
                    tenant,
                    str(pool),
                    len(pcm16) // 2,
                    self._clock.wall_ms(),
                    options,
                    passage=passage,
                )
                return await self._accept(_mark(session_id, epoch), order, pcm16)
        except TimeoutError as error:
            raise Unavailable(f"the recording was not stored within {self._limits.save_s:.0f} s") from error

    async def _accept(self, mark: str, order: Order, pcm16: bytes) -> str:
        known = await self._store.get(mark)
        if known is not None:
            return known.decode()
        kept_bytes = sum([one.size async for one in self._store.list()])
        if kept_bytes + len(pcm16) > self._limits.max_bytes:
            raise StoreFull("no more recordings can be kept now; transcribe it by POST, or try again later")
        job_id = order.job_id
        wav = await asyncio.to_thread(records.to_wav, pcm16)
        await self._store.put(path(job_id, AUDIO), wav)
        await self._store.put(path(job_id, ORDER), records.encode(order))
        await self._store.put(mark, job_id.encode())
        self._counted.labels("accepted").inc()
        self._usage.count(order.tenant, order.pool, samples=order.samples)
        await self._hand_over(order)
        return job_id

    async def state(self, job_id: str, tenant: str) -> JobState:
        """How it is. Raises `UnknownJob`, also for another tenant's."""
        order = await self._order(job_id, tenant)
        outcome = await self._outcome(job_id)
        if outcome is not None:
            return JobState("failed" if outcome.code else "done", order, outcome)
        return JobState("running" if await self._queue.running(job_id) else "queued", order, None)

    async def forget(self, job_id: str, tenant: str) -> None:
        """Delete audio and transcript now. Raises `UnknownJob`, also for another tenant's."""
        await self._order(job_id, tenant)
        await self._delete(job_id)
        await self._queue.forget(job_id)
        self._counted.labels("deleted").inc()

    async def run(self, every_s: float) -> None:
        """Sweep for ever; a store or a queue that is away is asked again the next time."""
        while True:
            try:
                await self.sweep()
            except RattilError as error:
                _log.warning("sweep_failed", code=error.code, error=error.message)
            await asyncio.sleep(every_s)

    async def sweep(self) -> None:
        """Delete what is too old; hand over again what has no outcome."""
        folders: dict[str, dict[str, Kept]] = {}
        async for one in self._store.list():
            folder, _, name = one.path.partition("/")
            if folder == SESSIONS:
                if self._is_old(one.written_ms):
                    await self._store.delete(one.path)
            else:
                folders.setdefault(folder, {})[name] = one
        for job_id, files in folders.items():
            if records.is_job_id(job_id):  # whatever else lies there is not ours
                try:
                    await self._tidy(job_id, files)
                except StateLost as error:
                    _log.warning("job_unreadable", error=error.message)
                    if self._is_old(max(one.written_ms for one in files.values())):
                        await self._delete(job_id)

    async def _tidy(self, job_id: str, files: dict[str, Kept]) -> None:
        if OUTCOME in files:
            if AUDIO in files:
                await self._store.delete(path(job_id, AUDIO))
            if self._is_old(files[OUTCOME].written_ms):
                await self._delete(job_id)
            return
        if ORDER not in files:  # its gateway died before it was accepted
            if self._is_old(max(one.written_ms for one in files.values())):
                await self._delete(job_id)
            return
        data = await self._store.get(path(job_id, ORDER))
        if data is None:
            return
        if self._is_old(files[ORDER].written_ms):
            lost = Outcome(
                self._clock.wall_ms(),
                code="expired",
                message="no worker has transcribed the recording in time",
            )
            await self._store.put(path(job_id, OUTCOME), records.encode(lost))
            await self._store.delete(path(job_id, AUDIO))
            self._counted.labels("expired").inc()
        else:
            await self._hand_over(records.decode(data, Order))

    async def _hand_over(self, order: Order) -> None:
        """A queue that is away is no loss: the next sweep tries again."""
        try:
            await self._queue.add(order.job, PoolName(order.pool))
        except Unavailable as error:
            _log.warning("job_waits", code=error.code, error=error.message)

    async def _order(self, job_id: str, tenant: str) -> Order:
        data = await self._store.get(path(job_id, ORDER)) if records.is_job_id(job_id) else None
        order = None if data is None else records.decode(data, Order)
        if order is None or order.tenant != tenant:
            raise UnknownJob("there is no such job; it may have been deleted, or its time is over")
        return order

    async def _outcome(self, job_id: str) -> Outcome | None:
        data = await self._store.get(path(job_id, OUTCOME))
        return None if data is None else records.decode(data, Outcome)

    async def _delete(self, job_id: str) -> None:
        """The order last: while it is there, the job can be deleted again."""
        for name in (AUDIO, OUTCOME, ORDER):
            await self._store.delete(path(job_id, name))

    def _is_old(self, written_ms: int) -> bool:
        return self._clock.wall_ms() - written_ms > self._limits.keep_s * 1000


def _mark(session_id: SessionId, epoch: Epoch) -> str:
    """A hash: whoever knows a session's id may resume the session."""
    digest = hashlib.sha256(f"{session_id} {epoch}".encode()).hexdigest()
    return f"{SESSIONS}/{digest[:32]}"
