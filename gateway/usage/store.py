"""Where usage is added up: by day, tenant and pool. A `Protocol`, and its form on Redis."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from redis.asyncio import Redis

from shared.bus import keys
from shared.bus.redis_connections import execute, queue_command
from shared.bus.redis_errors import redis_errors
from shared.bus.redis_scripts import LuaScript

_ADD = LuaScript("add_usage", "gateway.usage.lua")


class UsageKey(NamedTuple):
    """Who used what: a pool has one model."""

    tenant: str
    pool: str


class Used(NamedTuple):
    """How much. `samples`: accepted audio, 16 kHz. `words`: judged or transcribed in finished sessions."""

    samples: int = 0
    sessions: int = 0
    words: int = 0

    def plus(self, other: Used) -> Used:
        return Used(self.samples + other.samples, self.sessions + other.sessions, self.words + other.words)


class UsageBatch(NamedTuple):
    """Some seconds of one gateway. `name`: unique, so that it is added once, however often it is sent."""

    name: str
    day: dt.date
    used: Mapping[UsageKey, Used]


class UsageStore(Protocol):
    """Adds up what gateways count. Every method raises `BusUnavailable`."""

    async def add(self, batch: UsageBatch) -> None:
        """Add a batch; adding it again changes nothing."""
        ...

    async def read(self, tenant: str, days: Sequence[dt.date]) -> dict[dt.date, dict[str, Used]]:
        """Day to pool to what the tenant used; days without use are left out."""
        ...


class RedisUsage:
    """A `UsageStore` on the control Redis: one hash a tenant and day, which lives `days_kept` days."""

    def __init__(self, client: Redis, days_kept: int) -> None:
        self._client = client
        self._life_s = days_kept * 24 * 3600

    async def add(self, batch: UsageBatch) -> None:
        by_tenant: dict[str, list[str | int]] = defaultdict(list)
        for key, used in batch.used.items():
            for what, number in used._asdict().items():
                if number:
                    by_tenant[key.tenant] += [f"{key.pool}|{what}", number]
        with redis_errors("adding usage"):
            for tenant, fields in by_tenant.items():
                mark, day = keys.usage_batch(batch.name, tenant), keys.usage(batch.day.isoformat(), tenant)
                await _ADD.run(self._client, [mark, day], [self._life_s, *fields])

    async def read(self, tenant: str, days: Sequence[dt.date]) -> dict[dt.date, dict[str, Used]]:
        with redis_errors("reading usage"):
            async with self._client.pipeline(transaction=False) as pipe:
                for day in days:
                    queue_command(pipe, "HGETALL", keys.usage(day.isoformat(), tenant))
                replies = await execute(pipe)
        return {day: _read(reply) for day, reply in zip(days, replies, strict=True) if reply}


def _read(fields: Mapping[bytes, bytes]) -> dict[str, Used]:
    found: dict[str, Used] = {}
    for field, number in fields.items():
        pool, _, what = field.decode().rpartition("|")
        found[pool] = found.get(pool, Used())._replace(**{what: int(number)})
    return found
