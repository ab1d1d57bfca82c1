"""Script runs of many sessions in few round trips: whatever waits while one pipeline is out goes next.

No timer is involved: an idle shard is written to at once, a busy one in batches. It is also fair,
which a connection pool is not: a caller in a tight loop can keep others from ever getting a connection.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Gauge
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from shared.bus.redis_connections import command, execute, queue_command
from shared.bus.redis_scripts import LuaScript, ScriptArgument
from shared.errors import BusUnavailable
from shared.service.latency_histogram import LatencyHistogram


@dataclass(frozen=True, slots=True)
class PipelineLimits:
    """`max_batch`: runs per round trip. `lanes`: round trips under way. `max_waiting`: runs queued."""

    max_batch: int = 32
    lanes: int = 2
    max_waiting: int = 4_096


@dataclass(slots=True)
class _Run:
    script: LuaScript
    keys: Sequence[str]
    args: Sequence[ScriptArgument]
    reply: asyncio.Future[Any]


class ScriptPipeline:
    """Runs scripts on one shard. Its tasks end by themselves when nothing waits: there is no close."""

    def __init__(
        self,
        client: Redis,
        limits: PipelineLimits | None = None,
        waiting: Gauge | None = None,
        latency: LatencyHistogram | None = None,
    ) -> None:
        """`waiting`: set to the runs that wait. `latency`: told of each answered run, by script."""
        self._client = client
        self._limits = limits or PipelineLimits()
        self._latency = latency
        self._waiting: deque[_Run] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        if waiting is not None:
            waiting.set_function(lambda: len(self._waiting))

    async def run(self, script: LuaScript, keys: Sequence[str], args: Sequence[ScriptArgument] = ()) -> Any:
        """One run's reply. Redis errors come out unchanged; a cancelled run may still happen.

        Raises `BusUnavailable` when `max_waiting` runs are queued already.
        """
        if len(self._waiting) >= self._limits.max_waiting:
            raise BusUnavailable(f"{len(self._waiting)} writes wait for this Redis shard: it is too slow")
        run = _Run(script, keys, args, asyncio.get_running_loop().create_future())
        self._waiting.append(run)
        if len(self._lanes) < self._limits.lanes:
            lane = asyncio.create_task(self._drain(), name="redis-script-lane")
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        began_s = time.monotonic()
        reply = await run.reply
        if self._latency is not None:
            self._latency.labels(script.name).observe(time.monotonic() - began_s)
        return reply

    async def _drain(self) -> None:
        try:
            await self._send_waiting()
        finally:
            # Here, not in a done callback: that runs a turn of the loop later, and a run queued in
            # between would count this lane as alive and wait for ever.
            lane = asyncio.current_task()
            if lane is not None:
                self._lanes.discard(lane)

    async def _send_waiting(self) -> None:
        while self._waiting:
            size = min(len(self._waiting), self._limits.max_batch)
            batch = [run for run in (self._waiting.popleft() for _ in range(size)) if not run.reply.done()]
            try:
                await self._send(batch)
            except Exception as error:
                for run in batch:
                    _fail(run, error)
            except BaseException:
                for run in batch:
                    run.reply.cancel()
                raise

    async def _send(self, batch: Sequence[_Run]) -> None:
        unknown = await self._round_trip(batch)
        if unknown:
            for script in {run.script for run in unknown}:
                await command(self._client, "SCRIPT LOAD", script.source)
            for run in await self._round_trip(unknown):
                _fail(run, BusUnavailable("Redis forgot a script that was just loaded"))

    async def _round_trip(self, batch: Sequence[_Run]) -> list[_Run]:
        """Send, settle every run that got an answer, return those whose script Redis does not know."""
        async with self._client.pipeline(transaction=False) as pipe:
            for run in batch:
                queue_command(pipe, "EVALSHA", run.script.sha, len(run.keys), *run.keys, *run.args)
            replies = await execute(pipe, raise_on_error=False)
        unknown: list[_Run] = []
        for run, reply in zip(batch, replies, strict=True):
            if isinstance(reply, NoScriptError):
                unknown.append(run)
            elif isinstance(reply, Exception):
                _fail(run, reply)
            elif not run.reply.done():
                run.reply.set_result(reply)
        return unknown


def _fail(run: _Run, error: Exception) -> None:
    if not run.reply.done():
        run.reply.set_exception(error)
