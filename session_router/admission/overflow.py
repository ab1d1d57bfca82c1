"""The overflow ladder: what to do with a session whose pool has no free slot. Pure.

reject    refuse at once
queue     wait for a slot, bounded in time and in number of waiters, then refuse
degrade   try the smaller pools one by one, then refuse
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.errors import NoCapacity, NoWorker, WaitingRoomFull
from shared.ids import PoolName

OverflowPolicy = Literal["reject", "queue", "degrade"]


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """The policy of one router. Times in seconds."""

    overflow: OverflowPolicy = "reject"
    queue_timeout_s: float = 10.0
    max_waiting: int = 200
    retry_after_s: float = 5.0
    degrade: Mapping[PoolName, PoolName] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How far one session has come. `full` are the pools found without a slot, in order tried;
    `without_worker` those of them in which no worker is ready."""

    pool: PoolName
    full: tuple[PoolName, ...] = ()
    waited_s: float = 0.0
    waiting: int = 0
    """Other sessions waiting in this router now."""
    without_worker: frozenset[PoolName] = frozenset()


@dataclass(frozen=True, slots=True)
class TryPool:
    """Ask the registry for a slot in this pool."""

    pool: PoolName


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for a slot of the pool for at most this long, then ask again."""

    pool: PoolName
    for_s: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Say no, and when to come back."""

    error: NoCapacity


Step = TryPool | Wait | Refuse


def next_step(rules: AdmissionRules, attempt: Attempt) -> Step:
    """The next rung of the ladder; ends in a lease or in a refusal after finitely many steps."""
    if not attempt.full:
        return TryPool(attempt.pool)
    if rules.overflow == "queue":
        return _queue(rules, attempt)
    if rules.overflow == "degrade":
        smaller = rules.degrade.get(attempt.full[-1])
        if smaller is not None and smaller not in attempt.full:
            return TryPool(smaller)
    return Refuse(_refusal(rules, attempt))


def _queue(rules: AdmissionRules, attempt: Attempt) -> Step:
    left_s = rules.queue_timeout_s - attempt.waited_s
    if left_s <= 0:
        return Refuse(_refusal(rules, attempt))
    if attempt.waited_s == 0 and attempt.waiting >= rules.max_waiting:
        return Refuse(
            WaitingRoomFull(
                f"{attempt.waiting} sessions are waiting already; try again in {rules.retry_after_s:g} s",
                rules.retry_after_s,
            )
        )
    return Wait(attempt.pool, left_s)


def _refusal(rules: AdmissionRules, attempt: Attempt) -> NoCapacity:
    names = ", ".join(repr(str(pool)) for pool in attempt.full)
    again = f"try again in {rules.retry_after_s:g} s"
    if attempt.without_worker.issuperset(attempt.full):
        return NoWorker(f"no worker of pool {names} is ready; {again}", rules.retry_after_s)
    if attempt.waited_s:
        text = f"no worker of pool {names} became free within {rules.queue_timeout_s:g} s"
    else:
        text = f"every worker of pool {names} is full"
    return NoCapacity(f"{text}; {again}", rules.retry_after_s)
