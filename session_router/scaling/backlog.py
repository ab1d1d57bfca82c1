"""How much work waits per pool, read from the segment streams of every shard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from redis.asyncio import Redis

from session_router.scaling.replicas import Backlog
from shared.bus import keys
from shared.bus.redis_errors import redis_errors
from shared.bus.redis_scripts import BACKLOG
from shared.errors import BusUnavailable
from shared.ids import PoolName
from shared.service.logging import get_logger

_log = get_logger(__name__)


class BacklogGauge(Protocol):
    """Reads the backlog of pools; a shard that does not answer is left out, never waited for."""

    async def read(self, pools: Sequence[PoolName]) -> dict[PoolName, Backlog]: ...


class RedisBacklog:
    """`BacklogGauge` over the shards: depths add up, of the ages the greatest counts."""

    def __init__(self, shards: Sequence[Redis]) -> None:
        self._shards = tuple(shards)

    async def read(self, pools: Sequence[PoolName]) -> dict[PoolName, Backlog]:
        per_shard = await asyncio.gather(
            *(self._read_shard(index, pools) for index in range(len(self._shards)))
        )
        return {
            pool: Backlog(
                depth=sum(found[position].depth for found in per_shard),
                oldest_age_ms=max((found[position].oldest_age_ms for found in per_shard), default=0),
            )
            for position, pool in enumerate(pools)
        }

    async def _read_shard(self, index: int, pools: Sequence[PoolName]) -> list[Backlog]:
        found = [Backlog()] * len(pools)
        try:
            with redis_errors("reading the backlog"):
                for position, pool in enumerate(pools):
                    depth, age_ms = await BACKLOG.run(self._shards[index], [keys.segments(pool)])
                    found[position] = Backlog(depth, age_ms)
        except BusUnavailable as error:
            _log.warning("shard_not_read", shard=index, error=error.message)
        return found
