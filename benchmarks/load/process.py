"""The parent's side of a load run: starts it, follows its phases, gets its figures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

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
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.load.run",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=FIGURES_BYTES,
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(order))
    process.stdin.close()
    try:
        yield LoadRun(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
