"""Whether a Redis can hold sessions at all: checked at the start, and watched, since settings change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from shared.bus.metrics import BusMetrics
from shared.bus.redis_connections import RedisConnections, Shard, command
from shared.bus.redis_errors import redis_errors
from shared.errors import BusUnavailable, UnsuitableRedis
from shared.service.logging import get_logger

WATCH_EVERY_S = 30.0
"""How often a running service looks again, seconds."""

_NEVER_EVICTS = "noeviction"

_log = get_logger(__name__)


async def require_suitable(connections: RedisConnections, control: Redis | None = None) -> None:
    """Raises `UnsuitableRedis` with a sentence. A server that is away is not judged: a shard is by
    `SuitabilityWatch`, later."""
    await require_suitable_servers([shard.commands for shard in connections.shards], control)


async def require_suitable_servers(shards: Sequence[Redis], control: Redis | None) -> None:
    """The same of these; `control`: the one with registry and jobs."""
    named = [(f"shard {index}", client) for index, client in enumerate(shards)]
    for name, client in [*named, *([("CONTROL_REDIS_URL", control)] if control is not None else [])]:
        try:
            fault = fault_in(await _info(name, client))
        except BusUnavailable as error:
            _log.warning("redis_not_checked", server=name, why=error.message)
            continue
        if fault:
            raise UnsuitableRedis(f"Redis ({name}) cannot be used: {fault}")


class SuitabilityWatch:
    """Says in log and metrics when a Redis becomes unsuitable, or has thrown keys away, while we use it."""

    def __init__(self, connections: RedisConnections, metrics: BusMetrics) -> None:
        self._connections = connections
        self._metrics = metrics
        self._evicted: dict[int, int] = {}

    async def run(self, every_s: float = WATCH_EVERY_S) -> None:
        """For ever."""
        while True:
            for shard in self._connections.shards:
                await self.look(shard)
            await asyncio.sleep(every_s)

    async def look(self, shard: Shard) -> None:
        """Once. A shard that is away is looked at the next time."""
        try:
            info = await _info(f"shard {shard.index}", shard.commands)
        except BusUnavailable:
            return
        fault = fault_in(info)
        self._metrics.unsuitable.labels(shard.index).set(1 if fault else 0)
        if fault:
            _log.error("redis_unsuitable", shard=shard.index, why=fault)
        evicted = int(info.get("evicted_keys", 0))
        lost = evicted - self._evicted.get(shard.index, evicted)
        self._evicted[shard.index] = evicted
        if lost > 0:
            self._metrics.evicted.labels(shard.index).inc(lost)
            _log.error("redis_evicted_keys", shard=shard.index, keys=lost, why="parts of sessions are lost")


def fault_in(info: dict[str, Any]) -> str:
    """Why the server that says this about itself (`INFO`) cannot hold sessions; empty if it can."""
    if info.get("redis_mode") == "cluster":
        return (
            "it is a node of a Redis Cluster. A session's scripts touch two slots, so give independent "
            "servers instead: REDIS_URL takes a list of them, separated by commas"
        )
    policy = str(info.get("maxmemory_policy", _NEVER_EVICTS))
    if policy != _NEVER_EVICTS and int(info.get("maxmemory", 0)) > 0:
        return (
            f"its maxmemory-policy is {policy}, so at its memory limit it would throw away parts of running "
            "sessions. Set maxmemory-policy to noeviction: then it refuses new audio, which sessions wait for"
        )
    return ""


async def _info(name: str, client: Redis) -> dict[str, Any]:
    with redis_errors(f"asking {name} about itself"):
        info: dict[str, Any] = await command(client, "INFO")
    return info
