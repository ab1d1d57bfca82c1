"""The one way to the engine: one thread, live segments before batch jobs, nothing ever cancelled in it.

A second thread beside it prepares what waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from asr_worker.engines.engine import Engine, EngineCapabilities, EngineItem, EngineOutput
from asr_worker.engines.isolate import decode_isolated
from shared.clock import Clock
from shared.service.logging import get_logger

MAX_PASSED_OVER = 4
"""Live batches that may go before a waiting job batch; then the job has its turn."""

_log = get_logger(__name__)


class Decoded(NamedTuple):
    """Outcomes in the order of the items, and how long the engine took."""

    outcomes: list[EngineOutput | Exception]
    inference_ms: int


class EngineExecutor:
    """Runs an `Engine` in its own thread, one batch at a time.

    Callers wait for their turn: at most one live caller and as many jobs as the settings allow.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare")
        self._live: deque[asyncio.Future[None]] = deque()
        self._jobs: deque[asyncio.Future[None]] = deque()
        self._passed_over = 0
        self._busy_since_s: float | None = None
        self._preparing_since_s: float | None = None

    @property
    def capabilities(self) -> EngineCapabilities:
        return self._engine.capabilities

    def bucket(self, samples: int) -> int:
        """See `Engine.bucket`; cheap, so it runs in the caller's thread."""
        return self._engine.bucket(samples)

    @property
    def busy_s(self) -> float:
        """How long the batch in work, or the preparation beside it, has been running, s; 0 when idle."""
        since_s = [since for since in (self._busy_since_s, self._preparing_since_s) if since is not None]
        return self._clock.monotonic() - min(since_s) if since_s else 0.0

    @property
    def busy(self) -> bool:
        """Whether a batch is in work."""
        return self._busy_since_s is not None

    async def prepare(self, items: Sequence[EngineItem]) -> list[EngineItem]:
        """The items with their features computed, in order, while the engine may be at another batch.

        What cannot be prepared comes back as it was, for `decode` to say why.
        """
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._beside, self._prepare, list(items)))

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
        idle = self._busy_since_s is None and self._preparing_since_s is None
        self._beside.shutdown(wait=idle, cancel_futures=True)
        self._executor.shutdown(wait=idle, cancel_futures=True)
        if idle:
            self._engine.close()

    def _prepare(self, items: list[EngineItem]) -> list[EngineItem]:
        self._preparing_since_s = self._clock.monotonic()
        try:
            return self._engine.prepare(items)
        except Exception as error:
            # One item too many for the machine must not end the worker; alone, `decode` tries again.
            _log.warning("prepare_failed", items=len(items), error=f"{type(error).__name__}: {error}")
            return items
        finally:
            self._preparing_since_s = None

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
