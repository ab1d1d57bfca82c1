"""Connections to the Redis shards: one bounded pool for commands, one for blocking reads, per shard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.bus.redis_addresses import parse_urls
from shared.bus.redis_errors import redis_errors, write_after_end
from shared.bus.redis_pools import open_dedicated, open_pool
from shared.errors import BusUnavailable

_T = TypeVar("_T")

PING_S = 1.5
"""A shard that has not answered a ping for so long is away: one that hangs must not hide the others."""
_READERS = 8
"""Connections per shard and process that are each held by one reader."""

MAX_BLOCK_MS = 2_000
"""Longest wait of one blocking read: it bounds how long a drain or a dead server goes unnoticed."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`max_connections`: per shard, for commands. Times in seconds.

    `reply_s` must exceed the longest blocking read, or idle streams would look like dead servers.
    """

    max_connections: int = 16
    connect_s: float = 2.0
    reply_s: float = 3.0
    pool_wait_s: float = 5.0


def open_client(url: str, limits: ConnectionLimits | None = None) -> Redis:
    """A client of one Redis with bytes replies, RESP2, a bounded pool and no hidden retries.

    Commands wait for a free connection up to `pool_wait_s`. It connects on first use.
    """
    limits = limits or ConnectionLimits()
    pool = open_pool(url, limits.max_connections, limits.pool_wait_s, limits.connect_s, limits.reply_s)
    return Redis.from_pool(pool)


async def heeding_cancel(reply: Awaitable[_T]) -> _T:
    """Await something of redis-py without losing a cancellation.

    It sends inside `asyncio.wait_for`, and that of Python 3.11 returns normally when a cancellation
    and the result come together (python/cpython#86296, cured in 3.12): the loop that was to be ended
    would go on for ever. A write on a connection that has just ended comes out as a `ConnectionError`
    of redis-py, whatever it was.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        result = await reply
    except (RuntimeError, AttributeError) as error:
        if not write_after_end(error):
            raise
        raise RedisConnectionError(f"the connection has ended ({error})") from error
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


def command(client: Redis, *args: str | bytes | int | float, **parsing: bool) -> Awaitable[Any]:
    """One command as it would be typed; redis-py's own methods have types that cannot be awaited.

    `parsing` are redis-py's hints on the shape of a reply, for commands that have several.
    """
    return heeding_cancel(client.execute_command(*args, **parsing))  # type: ignore[no-untyped-call]


def queue_command(pipe: Pipeline, *args: str | bytes | int | float) -> None:
    """One command for the pipeline's next `execute`."""
    pipe.execute_command(*args)


def execute(pipe: Pipeline, *, raise_on_error: bool = True) -> Awaitable[list[Any]]:
    """Send what is queued, get all replies; errors are raised or among the replies."""
    return heeding_cancel(pipe.execute(raise_on_error=raise_on_error))


@dataclass(frozen=True, slots=True)
class Shard:
    """One Redis instance: `commands` for short calls, `blocking` for reads that wait."""

    index: int
    commands: Redis
    blocking: Redis
    dedicated: ConnectionPool

    def new_connection(self) -> AbstractConnection:
        """An unconnected connection outside of any pool (pub/sub); its owner closes it."""
        connection: AbstractConnection = self.dedicated.connection_class(**self.dedicated.connection_kwargs)
        return connection


class RedisConnections:
    """All shards of a `REDIS_URL`. Create one per process, share it, `close` it last."""

    def __init__(self, redis_url: str, limits: ConnectionLimits | None = None) -> None:
        limits = limits or ConnectionLimits()
        if limits.reply_s * 1000 <= MAX_BLOCK_MS:
            raise ValueError("reply_s must be longer than the longest blocking read")
        shards = []
        for index, url in enumerate(parse_urls(redis_url)):
            dedicated = open_dedicated(url, _READERS, limits.connect_s, limits.reply_s)
            shards.append(Shard(index, open_client(url, limits), Redis(connection_pool=dedicated), dedicated))
        self.shards: tuple[Shard, ...] = tuple(shards)

    def __len__(self) -> int:
        return len(self.shards)

    async def ping(self) -> int:
        """How many shards do not answer. Raises `BusUnavailable` if none does."""
        answers = await asyncio.gather(*(self._ping(shard) for shard in self.shards))
        away = [answer for answer in answers if answer is not None]
        if len(away) == len(self.shards):
            try:
                raise away[0]
            finally:
                away.clear()  # this frame is in their tracebacks: they would wait for the collector
        return len(away)

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        for shard in self.shards:
            await shard.commands.aclose(close_connection_pool=True)
            await shard.blocking.aclose(close_connection_pool=True)

    @staticmethod
    async def _ping(shard: Shard) -> BusUnavailable | None:
        try:
            with redis_errors(f"pinging shard {shard.index}"):
                async with asyncio.timeout(PING_S):
                    await command(shard.commands, "PING")
        except BusUnavailable as error:
            return error
        return None
