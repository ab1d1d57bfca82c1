"""How many workers a pool should have: one number for an autoscaler. Pure.

Two demands, the greater counts: enough session slots that only a share of them is in use, and
enough throughput that the oldest segment is young. Queue length alone cannot say the second. A pool
without workers has neither: there, somebody who was refused is the demand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from session_router.registry.registry import PoolCapacity

MAX_GROWTH = 2.0
"""Growth by lag in one step: a lag ten times too long asks for twice the workers, not for ten times."""


class Backlog(msgspec.Struct, frozen=True):
    """What waits in a pool's segment streams, all shards: how many, and the age of the oldest (ms)."""

    depth: int = 0
    oldest_age_ms: int = 0


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """The aims: share of slots in use, greatest age of a waiting segment (ms), bounds."""

    utilisation: float = 0.7
    backlog_age_ms: int = 1000
    min_replicas: int = 1
    max_replicas: int = 100


def desired_replicas(
    rules: ScalingRules, pool: PoolCapacity, backlog: Backlog, waiting: int = 0, *, unserved: bool = False
) -> int:
    """Workers the pool should have. `waiting` sessions have no slot yet but count as demand.

    `unserved`: somebody asked lately and found no worker, so that there should be one.
    """
    needed = max(
        _by_sessions(rules, pool, waiting),
        _by_lag(rules, pool, backlog),
        int(unserved),
    )
    return min(max(needed, rules.min_replicas), rules.max_replicas)


def _by_sessions(rules: ScalingRules, pool: PoolCapacity, waiting: int) -> int:
    sessions = pool.active + waiting
    if pool.workers == 0 or pool.capacity == 0:
        return 1 if sessions else 0
    per_worker = pool.capacity / pool.workers
    # Rounded first: 7 / (10 * 0.7) must not become 1.0000000000000002 and so 2.
    return math.ceil(round(sessions / (per_worker * rules.utilisation), 9))


def _by_lag(rules: ScalingRules, pool: PoolCapacity, backlog: Backlog) -> int:
    if backlog.depth == 0 or backlog.oldest_age_ms <= rules.backlog_age_ms:
        return 0
    if pool.workers == 0:
        return 1
    growth = min(backlog.oldest_age_ms / rules.backlog_age_ms, MAX_GROWTH)
    return math.ceil(pool.workers * growth)
