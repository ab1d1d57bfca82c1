"""The parent's side of a load run: starts it, follows its phases, gets its figures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from benchmarks.load.crowd import CrowdFigures, CrowdOrder, CrowdPhase
from benchmarks.load.results import LoadFigures
from benchmarks.load.run import LoadOrder, Phase
from benchmarks.machine import ROOT

FIGURES_BYTES = 256 * 1024 * 1024
"""Bound of one line from the load process: the last one carries every latency."""


class LoadFailed(Exception):
    """The load process ended without its figures."""


class LoadRun:
    """A running load. Await `reach` for each phase in order, then `figures`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def reach(self, phase: str) -> Phase:
        """Wait for this phase; raises `LoadFailed` if the process ends before."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            reached = msgspec.json.decode(line, type=Phase)
            if reached.phase == phase:
                return reached
        raise LoadFailed(f"the load generator ended before it reached {phase!r}")

    async def figures(self) -> LoadFigures:
        """Wait for the end."""
        last = await self.reach("done")
        assert last.figures is not None
        return last.figures


@asynccontextmanager
async def load(order: LoadOrder) -> AsyncIterator[LoadRun]:
    """Run this load; killed if the caller leaves early."""
    async with _python("benchmarks.load.run") as process:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(order))
        process.stdin.close()
        yield LoadRun(process)


class CrowdRun:
    """A crowd that is loaded and waits for `go`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def go(self) -> None:
        """Let them begin to knock."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def figures(self) -> CrowdFigures:
        """Wait for the end. Raises `LoadFailed`."""
        last = await _crowd_phase(self._process, "done")
        assert last.crowd is not None
        return last.crowd


@asynccontextmanager
async def crowd(order: CrowdOrder) -> AsyncIterator[CrowdRun]:
    """A crowd that is ready to go; killed if the caller leaves early."""
    async with _python("benchmarks.load.crowd") as process:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()
        await _crowd_phase(process, "ready")
        yield CrowdRun(process)


async def _crowd_phase(process: asyncio.subprocess.Process, phase: str) -> CrowdPhase:
    assert process.stdout is not None
    reached = msgspec.json.decode(await process.stdout.readline() or b'{"phase":"end"}', type=CrowdPhase)
    if reached.phase != phase:
        raise LoadFailed(f"the crowd ended before it was {phase!r}")
    return reached


@asynccontextmanager
async def _python(module: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=FIGURES_BYTES,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
