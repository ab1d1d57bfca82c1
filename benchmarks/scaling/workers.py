"""The workers that an autoscaler starts and stops: real processes, as a Deployment has pods."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from benchmarks.scaling.controller import Controller
from benchmarks.scaling.metric import MetricSource
from cli.ports import free_port
from cli.processes import Child, Service, Stack


class Workers:
    """Begins with the one worker of a stack; the others are started with its settings, on ports of their own.

    `there` counts those that were asked for, whether ready or not, as a Deployment counts its replicas.
    `faults`: workers that ended unasked, or that were ready and ended with another status than 0.
    """

    def __init__(self, stack: Stack, first: str = "worker-1") -> None:
        self._stack = stack
        child = next(child for child in stack.children if child.service.name == first)
        self._template = child.service
        self._there = [child]
        self._started = 1
        self._dismissed: dict[str, asyncio.Task[None]] = {}
        self._watches: list[asyncio.Task[None]] = []
        self.faults: list[str] = []
        self._follow(child)

    @property
    def there(self) -> int:
        return len(self._there)

    async def scale_to(self, number: int) -> None:
        """Start what is missing, tell the youngest that they are too many; neither is waited for."""
        while len(self._there) < number:
            self._started += 1
            child = await self._stack.spawn(self._service(self._started))
            self._there.append(child)
            self._follow(child)
        while len(self._there) > number:
            child = self._there.pop()
            name = child.service.name
            self._dismissed[name] = asyncio.create_task(self._dismiss(child), name=f"dismiss-{name}")

    async def gone(self) -> None:
        """Wait until those who were told to leave have left."""
        await asyncio.gather(*self._dismissed.values())

    async def close(self) -> None:
        """Stop watching; the stack stops those who are there."""
        await self.gone()
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    def _service(self, number: int) -> Service:
        port = free_port()
        environment = {**self._template.env, "WORKER_HTTP_PORT": str(port)}
        ready = f"http://127.0.0.1:{port}/ready"
        return replace(self._template, name=f"worker-{number}", env=environment, ready_url=ready)

    def _follow(self, child: Child) -> None:
        watch = asyncio.create_task(self._watch(child), name=f"watch-{child.service.name}")
        self._watches.append(watch)

    async def _watch(self, child: Child) -> None:
        becoming_ready = asyncio.create_task(child.ready(), name=f"ready-{child.service.name}")
        try:
            death = await child.died()
        finally:
            becoming_ready.cancel()
            (trouble,) = await asyncio.gather(becoming_ready, return_exceptions=True)
        # One that is still starting has claimed nothing and may not yet know how to take leave.
        fine = {0} if trouble is None else {0, -signal.SIGTERM}
        if death.status not in fine or child.service.name not in self._dismissed:
            self.faults.append("\n".join([str(death), *death.last_lines]))

    async def _dismiss(self, child: Child) -> None:
        await child.stop()
        self._stack.children.remove(child)


@asynccontextmanager
async def autoscaled(
    workers: Workers, controller: Controller, metric: MetricSource, polling_s: float
) -> AsyncIterator[None]:
    """Scale by the metric until the end of the block. A failure of the autoscaler ends the block."""

    async def scale() -> None:
        loop = asyncio.get_running_loop()
        while True:
            number = controller.decide(loop.time(), workers.there, await metric.ask())
            await workers.scale_to(number)
            await asyncio.sleep(polling_s)

    try:
        async with asyncio.TaskGroup() as group:
            scaling = group.create_task(scale(), name="autoscaler")
            try:
                yield
            finally:
                scaling.cancel()
    finally:
        await workers.close()
