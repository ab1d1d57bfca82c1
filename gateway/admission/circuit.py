"""A circuit breaker: a service that failed again and again is not asked for a while. Pure.

closed      every call is made; a few failures in a row open the circuit
open        calls fail at once, until the time of the next trial
half_open   one call is the trial: success closes the circuit, failure opens it for longer
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.clock import Clock
from shared.errors import RattilError

FIRST_OPEN_S = 1.0
"""How long a circuit is open at first, seconds: a service that only restarted is asked again soon."""


class CircuitState(enum.IntEnum):
    """The value is what the metric shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """`failures` in a row open the circuit; it stays open for `FIRST_OPEN_S`, twice as long after each trial
    that failed, at most for `longest_open_s`; each time for a random part of it, at least half."""

    failures: int = 5
    longest_open_s: float = 60.0


class Circuit:
    """The circuit before one service, for all calls of this process."""

    def __init__(self, policy: CircuitPolicy, clock: Clock, chance: random.Random | None = None) -> None:
        self._policy = policy
        self._clock = clock
        self._chance = chance or random.Random()
        self._failures = 0
        self._failed_trials = 0
        self._trial_at_s: float | None = None
        self._trying = False

    @property
    def state(self) -> CircuitState:
        """Half-open from when the next call is the trial, though nobody may call for hours."""
        if self._trial_at_s is None:
            return CircuitState.CLOSED
        due = self._clock.monotonic() >= self._trial_at_s
        return CircuitState.HALF_OPEN if self._trying or due else CircuitState.OPEN

    @contextmanager
    def guard(
        self, refuse: Callable[[float], RattilError], failures: tuple[type[Exception], ...]
    ) -> Iterator[None]:
        """A call that is only made if the circuit lets it. `failures`: what says that the service is away;
        whatever else is raised, and a cancellation, says nothing about it.

        Raises `refuse(retry_after_s)` at once while the circuit is open.
        """
        wait_s = self._wait_s()
        if wait_s > 0:
            raise refuse(wait_s)
        trial = self._trial_at_s is not None
        self._trying = self._trying or trial
        try:
            yield
        except failures:
            self._fail(trial)
            raise
        else:
            self.succeeded()
        finally:
            if trial:
                self._trying = False

    def succeeded(self) -> None:
        """The service has answered somebody: every call may be made again."""
        self._failures = self._failed_trials = 0
        self._trial_at_s = None

    def failed(self) -> None:
        """A call that this circuit did not guard has found the service away."""
        self._fail(trial=False)

    def _fail(self, trial: bool) -> None:
        self._failures += 1
        if self._trial_at_s is not None:
            if not trial:
                return  # begun before the circuit opened: it says nothing new
            self._failed_trials += 1
        elif self._failures < self._policy.failures:
            return
        open_s = min(FIRST_OPEN_S * 2.0 ** min(self._failed_trials, 16), self._policy.longest_open_s)
        self._trial_at_s = self._clock.monotonic() + open_s * self._chance.uniform(0.5, 1.0)

    def _wait_s(self) -> float:
        """How long from now the next call may be made, seconds; 0: now."""
        if self._trial_at_s is None:
            return 0.0
        left_s = self._trial_at_s - self._clock.monotonic()
        # While a trial is on its way nobody knows; its answer comes soon.
        return max(left_s, FIRST_OPEN_S) if self._trying else max(left_s, 0.0)
