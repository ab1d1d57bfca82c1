"""How full the Redis shards are: new sessions are refused first, then audio of those that live is held back.

What is left is for results, heartbeats, leases and jobs: without them nothing would become free again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from shared.bus.metrics import BusMetrics
from shared.bus.redis_connections import RedisConnections, Shard, command
from shared.bus.redis_errors import redis_errors
from shared.errors import BusUnavailable, NoCapacity, QueueFull
from shared.service.logging import get_logger

LOOK_EVERY_S = 2.0
_LOOK_WHEN_FULL_S = 0.25
"""How often shards are asked, seconds. At full speed a session writes about 0.5 MB in a second."""
_LOOKS_ON_THE_WAY = 4
"""A shard that fills up is looked at so many times before, at its speed, audio has to be held back."""
_SPEED_HALVES_S = 10.0
"""A speed is remembered for a while: what is taken out of a store between two looks says nothing of what
comes in."""

RESERVE_BYTES = 20_000_000
"""What is kept for all that is not audio, and for the audio that comes until the next look."""
LARGEST_RESERVE = 0.25
"""Of a small shard's memory."""

RETRY_AFTER_S = 30.0
"""Sessions end and their audio goes; a moment later there is hardly more room."""

_log = get_logger(__name__)


class StorageFull(NoCapacity):
    """A Redis shard is nearly at its memory limit: what is free belongs to the sessions that live."""

    code = "storage_full"


class MemoryWatch:
    """Knows the fullest shard. A shard without a limit (`maxmemory` 0) is never full."""

    def __init__(
        self,
        connections: RedisConnections,
        metrics: BusMetrics,
        refuse_at: float,
        on_room: Callable[[int], None] = lambda shard: None,
    ) -> None:
        """`refuse_at`: share of `maxmemory` from which new sessions are refused; half-way from there to the
        limit audio is held back, earlier where that would leave less than the reserve. `on_room` is told of
        each answer of a shard that takes audio."""
        self._connections = connections
        self._metrics = metrics
        self._refuse_at = refuse_at
        self._on_room = on_room
        self._shares: dict[int, float] = {}
        self._hold_at: dict[int, float] = {}
        self._full = False

    def expect_room(self) -> None:
        """Raises `StorageFull` if a new session must not begin now."""
        if self._full:
            raise StorageFull("the store of live sessions is nearly full; try again later", RETRY_AFTER_S)

    def expect_audio_room(self, shard: int) -> None:
        """Raises `QueueFull` if a session of this shard must keep its audio for now."""
        if self._left(shard) <= 0:
            raise QueueFull("the store of live sessions is nearly full: keep the segment, push it later")

    async def run(self, every_s: float = LOOK_EVERY_S) -> None:
        """For ever."""
        waited_s, speed = every_s, 0.0
        while True:
            before = dict(self._shares)
            for shard in self._connections.shards:
                await self.look(shard)
            grown = max((self._shares[one] - before.get(one, 0.0) for one in self._shares), default=0.0)
            speed = max(grown / waited_s, remembered(speed, waited_s))
            left = min(map(self._left, self._shares), default=1.0)
            waited_s = next_look_s(left, speed, _LOOK_WHEN_FULL_S if self._full else every_s)
            await asyncio.sleep(waited_s)

    async def look(self, shard: Shard) -> None:
        """Once. Of a shard that is away the last answer holds."""
        try:
            with redis_errors(f"asking shard {shard.index} for its memory"):
                info: dict[str, Any] = await command(shard.commands, "INFO", "memory")
        except BusUnavailable:
            return
        share = used_share(info)
        self._hold_at[shard.index] = hold_share(self._refuse_at, int(info.get("maxmemory", 0)))
        self._metrics.memory_used.labels(shard.index).set(share)
        self._shares[shard.index] = share
        if self._left(shard.index) > 0:
            self._on_room(shard.index)
        full = any(share >= min(self._refuse_at, self._hold_at[one]) for one, share in self._shares.items())
        if full is not self._full:
            what = "storage_full" if full else "storage_has_room"
            _log.warning(what, shard=shard.index, used=round(share, 3))
        self._full = full

    def _left(self, shard: int) -> float:
        """How much of a shard's memory is left until audio is held back, as a share of its limit."""
        return self._hold_at.get(shard, 1.0) - self._shares.get(shard, 0.0)


def hold_share(refuse_at: float, limit: int) -> float:
    """Share of a shard's `limit` in bytes from which audio is held back."""
    if not limit:
        return 1.0
    reserve = min(LARGEST_RESERVE, RESERVE_BYTES / limit)
    return min((1 + refuse_at) / 2, 1 - reserve)


def next_look_s(left: float, speed: float, every_s: float) -> float:
    """When to look again, seconds. `left`: of a shard's memory until audio is held back, `speed`: what is
    used up of it in a second, both as shares of its limit."""
    soonest_s = min(every_s, _LOOK_WHEN_FULL_S)
    if left <= 0:
        return soonest_s
    if speed <= 0:
        return every_s
    return min(every_s, max(soonest_s, left / speed / _LOOKS_ON_THE_WAY))


def remembered(speed: float, waited_s: float) -> float:
    """What of an earlier speed still counts after so many seconds."""
    return max(0.0, speed) * math.pow(0.5, waited_s / _SPEED_HALVES_S)


def used_share(info: dict[str, Any]) -> float:
    """Used memory as a share of its limit, by what `INFO memory` says; 0 without a limit."""
    limit = int(info.get("maxmemory", 0))
    return int(info.get("used_memory", 0)) / limit if limit else 0.0
