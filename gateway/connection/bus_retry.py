"""Bus calls that wait for an absent Redis, for a bounded time, with full jitter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.admission.circuit import Circuit
from gateway.connection.end_reason import EndConnection, EndReason
from gateway.metrics import GatewayMetrics
from shared.clock import Clock
from shared.errors import BusUnavailable, QueueFull
from shared.retry import Backoff

_BACKOFF = Backoff()

_T = TypeVar("_T")


class BusRetry:
    """Tries again while the bus is away or its stream full; then closes the connection."""

    def __init__(
        self, clock: Clock, metrics: GatewayMetrics, grace_s: float, circuit: Circuit | None = None
    ) -> None:
        """`circuit`: hears how the calls fare; it does not hold them back."""
        self._circuit = circuit
        self._clock = clock
        self._metrics = metrics
        self._grace_s = grace_s
        self._waiting = False
        self._jitter = random.Random()

    @property
    def waiting(self) -> bool:
        """Whether a call is being repeated right now."""
        return self._waiting

    async def call(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """The result of `attempt`, which must be safe to repeat.

        Raises `EndConnection` after the grace, and at once whatever else `attempt` raises.
        """
        give_up_at = self._clock.monotonic() + self._grace_s
        tries = 0
        try:
            while True:
                try:
                    found = await attempt()
                except (BusUnavailable, QueueFull) as error:
                    if self._circuit is not None and isinstance(error, BusUnavailable):
                        self._circuit.failed()
                    self._waiting = True
                    self._metrics.retries.labels(error.code).inc()
                    if self._clock.monotonic() >= give_up_at:
                        raise _giving_up(error) from error
                else:
                    if self._circuit is not None:
                        self._circuit.succeeded()
                    return found
                await asyncio.sleep(_BACKOFF.wait_s(tries, self._jitter))
                tries += 1
        finally:
            self._waiting = False


def _giving_up(error: BusUnavailable | QueueFull) -> EndConnection:
    reason = EndReason.NO_CAPACITY if isinstance(error, QueueFull) else EndReason.BUS_AWAY
    return EndConnection(reason, error.code, f"{error.for_client}; reconnect to resume")
