"""Tells the routers that this worker lives, what it can take and how it fares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
from redis.asyncio import Redis

from asr_worker.metrics import WorkerMetrics
from asr_worker.stop_waits import pause
from shared.bus import keys
from shared.bus.redis_connections import command, execute, queue_command
from shared.bus.redis_errors import redis_errors
from shared.clock import Clock
from shared.errors import BusUnavailable
from shared.ids import WorkerId
from shared.protocol.workers import WorkerReport
from shared.service.logging import get_logger

MISSED_BEATS = 3
"""A report lives for so many heartbeats; then the worker counts as dead."""

_log = get_logger(__name__)


class Registration(Protocol):
    """Where workers report. Both methods raise `BusUnavailable`."""

    async def publish(self, report: WorkerReport, ttl_s: float) -> int:
        """Store the report; it and the worker's place in the list count for `ttl_s`.

        Returns how many sessions the routers have leased to this worker.
        """
        ...

    async def withdraw(self, worker_id: WorkerId) -> None:
        """Leave the registry, as after a drain."""
        ...


class RedisRegistration:
    """`Registration` on the control Redis; the keys are the routers' to read (`shared/bus/keys.py`)."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def publish(self, report: WorkerReport, ttl_s: float) -> int:
        with redis_errors("reporting to the registry"):
            # The server's clock, so that the workers' own clocks need not agree.
            seconds, microseconds = await command(self._client, "TIME")
            now_ms = int(seconds) * 1000 + int(microseconds) // 1000
            key = keys.worker(report.worker_id)
            async with self._client.pipeline(transaction=True) as pipe:
                queue_command(pipe, "ZADD", keys.WORKERS, now_ms, report.worker_id)
                queue_command(pipe, "HSET", key, "report", msgspec.json.encode(report))
                queue_command(pipe, "PEXPIRE", key, int(ttl_s * 1000))
                queue_command(pipe, "SCARD", keys.worker_sessions(report.worker_id))
                return int((await execute(pipe))[-1])

    async def withdraw(self, worker_id: WorkerId) -> None:
        with redis_errors("leaving the registry"):
            async with self._client.pipeline(transaction=True) as pipe:
                queue_command(pipe, "ZREM", keys.WORKERS, worker_id)
                queue_command(pipe, "DEL", keys.worker(worker_id))
                await execute(pipe)


class Heartbeat:
    """Publishes a report every `every_s`; remembers whether the last one arrived."""

    def __init__(
        self,
        registration: Registration,
        report: Callable[[float], WorkerReport],
        metrics: WorkerMetrics,
        clock: Clock,
        every_s: float,
    ) -> None:
        """`report` makes the report, given the rate of answered segments per second."""
        self._registration = registration
        self._report = report
        self._metrics = metrics
        self._clock = clock
        self._every_s = every_s
        self._counted = (clock.monotonic(), metrics.answered)
        self.arrived = False
        self.leased = 0
        """Sessions leased to this worker when the last report arrived."""

    async def run(self, stop: asyncio.Event) -> None:
        """Report until `stop`; a registry that is away is tried again with the next beat."""
        while not stop.is_set():
            await self.beat()
            await pause(stop, self._every_s)

    async def beat(self) -> None:
        """Report once, e.g. at once when draining begins."""
        report = self._report(self._rate())
        self._metrics.capacity.set(report.capacity)
        self._metrics.service_rate.set(report.service_rate)
        self._metrics.latency_p95.set(report.latency_p95_ms / 1000)
        self._metrics.ready.set(report.status != "draining")
        try:
            self.leased = await self._registration.publish(report, MISSED_BEATS * self._every_s)
        except BusUnavailable as error:
            self._missed("heartbeat", error)
        else:
            self.arrived = True

    async def withdraw(self, worker_id: WorkerId) -> None:
        """Leave the registry; if it is away, the report expires by itself."""
        try:
            await self._registration.withdraw(worker_id)
        except BusUnavailable as error:
            self._missed("withdraw", error)

    def _missed(self, call: str, error: BusUnavailable) -> None:
        self.arrived = False
        self._metrics.bus_errors.labels(call).inc()
        _log.warning("bus_unavailable", call=call, error=error.message)

    def _rate(self) -> float:
        """Segments answered per second since the last beat."""
        then_s, before = self._counted
        now_s, answered = self._clock.monotonic(), self._metrics.answered
        self._counted = (now_s, answered)
        elapsed_s = now_s - then_s
        return round((answered - before) / elapsed_s, 2) if elapsed_s > 0 else 0.0


def resident_mb() -> float:
    """Resident memory of this process, MB; 0 where /proc does not tell (not Linux)."""
    try:
        fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return round(int(fields[1]) * 4096 / 1e6, 1)
