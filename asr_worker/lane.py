"""The one way to the engine: one thread, live segments before batch jobs, nothing ever cancelled in it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from asr_worker.engine import Engine, EngineCapabilities, EngineItem, EngineOutput
from asr_worker.engines.isolate import decode_isolated
from shared.clock import Clock

MAX_PASSED_OVER = 4
"""Live batches that may go before a waiting job batch; then the job has its turn."""


class Decoded(NamedTuple):
    """Outcomes in the order of the items, and how long the engine took."""

    outcomes: list[EngineOutput | Exception]
    inference_ms: int


class EngineLane:
    """Runs an `Engine` in its own thread, one batch at a time.

    Callers wait for their turn: at most one live caller and as many jobs as the settings allow.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._live: deque[asyncio.Future[None]] = deque()
        self._jobs: deque[asyncio.Future[None]] = deque()
        self._passed_over = 0
        self._busy_since_s: float | None = None

    @property
    def capabilities(self) -> EngineCapabilities:
        return self._engine.capabilities

    def bucket(self, samples: int) -> int:
        """See `Engine.bucket`; cheap, so it runs in the caller's thread."""
        return self._engine.bucket(samples)

    @property
    def busy_s(self) -> float:
        """How long the batch in work has been running, s; 0 when idle."""
        return 0.0 if self._busy_since_s is None else self._clock.monotonic() - self._busy_since_s

    async def decode(self, items: Sequence[EngineItem], *, live: bool) -> Decoded:
        """One outcome per item; never raises for what is in them.

        Cancelling the caller does not stop the engine: the next caller waits until it is done.
        """
        await self._turn(live)
        loop = asyncio.get_running_loop()
        try:
            running = loop.run_in_executor(self._executor, self._run, list(items))
        except BaseException:
            self._next()
            raise
        running.add_done_callback(lambda _: self._next())
        return await asyncio.shield(running)

    def close(self) -> None:
        """Release the engine; a batch that is still running is left behind with its thread."""
        idle = self._busy_since_s is None
        self._executor.shutdown(wait=idle, cancel_futures=True)
        if idle:
            self._engine.close()

    def _run(self, items: list[EngineItem]) -> Decoded:
        started_s = self._clock.monotonic()
        outcomes = decode_isolated(self._engine.decode, items)
        return Decoded(outcomes, round((self._clock.monotonic() - started_s) * 1000))

    async def _turn(self, live: bool) -> None:
        if self._busy_since_s is None:
            self._busy_since_s = self._clock.monotonic()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._live if live else self._jobs
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()
            elif turn in queue:
                queue.remove(turn)
            raise

    def _next(self) -> None:
        """Give the turn to whoever waits, live callers first, jobs at least every fifth time."""
        self._busy_since_s = None
        while self._live or self._jobs:
            job_is_due = bool(self._jobs) and (not self._live or self._passed_over >= MAX_PASSED_OVER)
            turn = (self._jobs if job_is_due else self._live).popleft()
            self._passed_over = 0 if job_is_due or not self._jobs else self._passed_over + 1
            if not turn.done():
                self._busy_since_s = self._clock.monotonic()
                turn.set_result(None)
                return
