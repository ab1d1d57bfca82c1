"""What every `UsageStore` promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator

import pytest

from gateway.usage.store import RedisUsage, UsageBatch, UsageKey, UsageStore, Used
from shared.bus.redis_connections import open_client
from tests.memory.usage import MemoryUsage

MONDAY, TUESDAY = dt.date(2026, 11, 23), dt.date(2026, 11, 24)
ACME, OTHER = UsageKey("acme", "default"), UsageKey("other", "default")


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[UsageStore]:
    if request.param == "memory":
        yield MemoryUsage()
        return
    client = open_client(request.getfixturevalue("redis_urls")[0])
    yield RedisUsage(client, days_kept=92)
    await client.aclose(close_connection_pool=True)


async def test_batches_add_up_by_day_tenant_and_pool(store: UsageStore) -> None:
    fast = UsageKey("acme", "fast")
    await store.add(UsageBatch("one", MONDAY, {ACME: Used(100, 1, 7), OTHER: Used(9, 1, 1)}))
    await store.add(UsageBatch("two", MONDAY, {ACME: Used(50, 0, 3), fast: Used(8, 1, 0)}))
    await store.add(UsageBatch("three", TUESDAY, {ACME: Used(1, 1, 1)}))
    monday = {"default": Used(150, 1, 10), "fast": Used(8, 1, 0)}
    assert await store.read("acme", [MONDAY]) == {MONDAY: monday}
    assert await store.read("acme", [MONDAY, TUESDAY]) == {
        MONDAY: monday,
        TUESDAY: {"default": Used(1, 1, 1)},
    }


async def test_a_batch_that_is_sent_again_is_added_once(store: UsageStore) -> None:
    batch = UsageBatch("same", MONDAY, {ACME: Used(100, 1, 7), OTHER: Used(1, 1, 1)})
    await store.add(batch)
    await store.add(batch)
    assert (await store.read("acme", [MONDAY]))[MONDAY]["default"] == Used(100, 1, 7)


async def test_a_tenant_reads_its_own_alone(store: UsageStore) -> None:
    await store.add(UsageBatch("one", MONDAY, {ACME: Used(100, 1, 7)}))
    assert await store.read("other", [MONDAY]) == {}
    assert await store.read("", [MONDAY]) == {}


async def test_what_redis_keeps_has_an_end(redis_urls: tuple[str, ...]) -> None:
    client = open_client(redis_urls[0])
    await RedisUsage(client, days_kept=2).add(UsageBatch("one", MONDAY, {ACME: Used(1, 1, 1)}))
    lives = {key: await client.ttl(key) async for key in client.scan_iter()}
    await client.aclose(close_connection_pool=True)
    assert len(lives) == 2
    assert all(0 < life <= 2 * 24 * 3600 for life in lives.values())
