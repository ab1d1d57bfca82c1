"""One suite for both registries: whatever the router relies on holds in memory and on Redis alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol

import msgspec
import pytest
from redis.asyncio import Redis

from session_router.registry.redis_registry import RedisRegistry
from session_router.registry.registry import ORPHANED, LeaseConflict, PoolCapacity, Registry
from shared.bus import keys
from shared.clock import ManualClock
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import Lease, WorkerReport, WorkerStatus
from tests.memory.registry import MemoryRegistry

TTL_S = 30.0
DEFAULT = PoolName("default")
LARGE = PoolName("large")


class World(Protocol):
    """A registry, and what happens around it."""

    registry: Registry

    async def heartbeat(
        self, worker: str, capacity: int, pool: PoolName = DEFAULT, status: WorkerStatus = "ready"
    ) -> None: ...

    async def crash(self, worker: str) -> None:
        """The worker's heartbeat has run out."""
        ...

    async def leave(self, worker: str) -> None: ...

    async def let_expire(self, sessions: Sequence[str]) -> None:
        """The time of these leases, and of no others, has run out."""
        ...


def _report(worker: str, capacity: int, pool: PoolName, status: WorkerStatus) -> WorkerReport:
    return WorkerReport(WorkerId(worker), pool, status, capacity)


class MemoryWorld:
    def __init__(self) -> None:
        self._clock = ManualClock()
        self._memory = MemoryRegistry(self._clock, heartbeat_ttl_s=1_000_000)
        self.registry: Registry = self._memory

    async def heartbeat(
        self, worker: str, capacity: int, pool: PoolName = DEFAULT, status: WorkerStatus = "ready"
    ) -> None:
        self._memory.heartbeat(_report(worker, capacity, pool, status))

    async def crash(self, worker: str) -> None:
        self._memory._state.heartbeats[WorkerId(worker)].until_s = 0

    async def leave(self, worker: str) -> None:
        self._memory.leave(WorkerId(worker))

    async def let_expire(self, sessions: Sequence[str]) -> None:
        for session in sessions:
            self._memory._state.held[SessionId(session)].until_s = 0


class RedisWorld:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.registry: Registry = RedisRegistry(redis, refresh_interval_s=1000)

    async def heartbeat(
        self, worker: str, capacity: int, pool: PoolName = DEFAULT, status: WorkerStatus = "ready"
    ) -> None:
        report = msgspec.json.encode(_report(worker, capacity, pool, status))
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zadd(keys.WORKERS, {worker: 1})
            pipeline.hset(keys.worker(WorkerId(worker)), "report", report.decode())
            await pipeline.execute()

    async def crash(self, worker: str) -> None:
        await self._redis.delete(keys.worker(WorkerId(worker)))

    async def leave(self, worker: str) -> None:
        await self._redis.zrem(keys.WORKERS, worker)
        await self._redis.delete(keys.worker(WorkerId(worker)))

    async def let_expire(self, sessions: Sequence[str]) -> None:
        await self._redis.zadd(keys.ACTIVE_SESSIONS, dict.fromkeys(sessions, 1))


@pytest.fixture(params=["memory", "redis"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    kind: Literal["memory", "redis"] = request.param
    if kind == "memory":
        yield MemoryWorld()
        return
    urls: Sequence[str] = request.getfixturevalue("redis_urls")
    redis = Redis.from_url(urls[0], protocol=2)
    yield RedisWorld(redis)
    await redis.aclose()


async def _ask(world: World, session: str, pool: PoolName = DEFAULT) -> Lease | None:
    return await world.registry.lease(SessionId(session), pool, pool, TTL_S)


async def _fill(world: World, sessions: Sequence[str], pool: PoolName = DEFAULT) -> list[Lease]:
    leases = [await _ask(world, session, pool) for session in sessions]
    granted = [lease for lease in leases if lease is not None]
    assert len(granted) == len(sessions)
    return granted


async def _pool(world: World, pool: PoolName = DEFAULT) -> PoolCapacity:
    census = await world.registry.census()
    return next((found for found in census.pools if found.pool == pool), PoolCapacity(pool))


async def test_nothing_to_lease_before_a_worker_reports(world: World) -> None:
    await world.registry.refresh(force=True)
    assert await _ask(world, "session-1") is None
    assert await world.registry.census() == type(await world.registry.census())()


async def test_a_new_worker_is_allocatable_after_one_refresh(world: World) -> None:
    await world.heartbeat("w1", 2)
    await world.registry.refresh(force=True)
    lease = await _ask(world, "session-1")
    assert lease == Lease(SessionId("session-1"), DEFAULT, WorkerId("w1"), TTL_S)


async def test_capacity_is_never_exceeded_and_slots_come_back(world: World) -> None:
    await world.heartbeat("w1", 2)
    await world.registry.refresh(force=True)
    await _fill(world, ["session-1", "session-2"])
    assert await _ask(world, "session-3") is None
    assert await world.registry.release(SessionId("session-1"))
    assert not await world.registry.release(SessionId("session-1"))
    assert await _ask(world, "session-3") is not None
    pool = await _pool(world)
    assert (pool.capacity, pool.active, pool.free) == (2, 2, 0)


async def test_the_worker_with_most_free_slots_is_chosen(world: World) -> None:
    await world.heartbeat("w1", 4)
    await world.heartbeat("w2", 2)
    await world.registry.refresh(force=True)
    leases = await _fill(world, [f"session-{n}" for n in range(6)])
    given = [lease.worker_id for lease in leases]
    assert given[:2] == ["w1", "w1"]
    assert sorted(given) == ["w1"] * 4 + ["w2"] * 2


async def test_asking_again_renews_the_same_lease(world: World) -> None:
    await world.heartbeat("w1", 5)
    await world.registry.refresh(force=True)
    first = await _ask(world, "session-1")
    await world.let_expire(["session-1"])
    assert await _ask(world, "session-1") == first
    assert (await world.registry.refresh(force=True)).expired == 0
    assert (await _pool(world)).active == 1


async def test_only_the_last_to_ask_gives_the_slot_back(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    session = SessionId("session-1")
    for holder in ("old", "new"):
        assert await world.registry.lease(session, DEFAULT, DEFAULT, TTL_S, holder)
    assert not await world.registry.release(session, "old")
    assert (await _pool(world)).active == 1
    assert await world.registry.release(session, "new")
    assert (await _pool(world)).active == 0
    assert await _ask(world, session)
    assert await world.registry.release(session, "anybody, since nobody claimed it")


async def test_another_pool_for_a_held_session_is_a_conflict(world: World) -> None:
    await world.heartbeat("w1", 5)
    await world.heartbeat("w2", 5, LARGE)
    await world.registry.refresh(force=True)
    await _ask(world, "session-1")
    with pytest.raises(LeaseConflict, match="default"):
        await _ask(world, "session-1", LARGE)


async def test_a_degraded_lease_answers_to_both_names(world: World) -> None:
    await world.heartbeat("w1", 5)
    await world.registry.refresh(force=True)
    lease = await world.registry.lease(SessionId("session-1"), DEFAULT, LARGE, TTL_S)
    assert lease is not None
    assert lease.degraded
    assert await _ask(world, "session-1", LARGE) == lease
    assert await _ask(world, "session-1", DEFAULT) == lease


async def test_renewal_keeps_leases_and_names_the_lost(world: World) -> None:
    await world.heartbeat("w1", 5)
    await world.registry.refresh(force=True)
    leases = await _fill(world, ["session-1", "session-2"])
    await world.let_expire(["session-1", "session-2"])
    reply = await world.registry.renew(
        [SessionId("session-1"), SessionId("session-9"), SessionId("session-2")], TTL_S
    )
    assert list(reply.leases) == leases
    assert reply.lost == ("session-9",)
    assert (await world.registry.refresh(force=True)).expired == 0


async def test_expired_leases_are_freed(world: World) -> None:
    await world.heartbeat("w1", 2)
    await world.registry.refresh(force=True)
    await _fill(world, ["session-1", "session-2"])
    await world.let_expire(["session-1"])
    assert (await world.registry.refresh(force=True)).expired == 1
    assert await _ask(world, "session-3") is not None
    assert (await world.registry.renew([SessionId("session-1")], TTL_S)).lost == ("session-1",)


async def test_a_dead_worker_gets_no_session_even_before_a_refresh(world: World) -> None:
    await world.heartbeat("w1", 5)
    await world.registry.refresh(force=True)
    await world.crash("w1")
    assert await _ask(world, "session-1") is None


async def test_sessions_of_a_dead_worker_move_and_the_rest_wait_as_orphans(world: World) -> None:
    await world.heartbeat("w1", 3)
    await world.registry.refresh(force=True)
    await _fill(world, ["session-1", "session-2", "session-3"])
    await world.heartbeat("w2", 1)
    await world.crash("w1")
    outcome = await world.registry.refresh(force=True)
    assert outcome.dead_workers == ("w1",)
    assert (outcome.moved, outcome.orphaned) == (1, 2)
    pool = await _pool(world)
    assert (pool.workers, pool.capacity, pool.active, pool.free, pool.orphans) == (1, 1, 3, 0, 2)
    reply = await world.registry.renew([SessionId(f"session-{n}") for n in (1, 2, 3)], TTL_S)
    assert sorted(lease.worker_id for lease in reply.leases) == [ORPHANED, ORPHANED, "w2"]

    await world.heartbeat("w3", 1)
    assert (await world.registry.refresh(force=True)).adopted == 1
    assert (await _pool(world)).orphans == 1
    assert await _ask(world, "session-4") is None


async def test_an_orphan_takes_the_next_released_slot(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.heartbeat("w2", 1)
    await world.registry.refresh(force=True)
    one, two = await _fill(world, ["session-1", "session-2"])
    await world.crash(one.worker_id)
    await world.registry.refresh(force=True)
    await world.registry.release(two.session_id)
    again = await _ask(world, one.session_id)
    assert again is not None
    assert again.worker_id == two.worker_id
    assert (await _pool(world)).orphans == 0


async def test_a_draining_worker_gets_nothing_new_and_hands_over_what_others_can_take(world: World) -> None:
    await world.heartbeat("w1", 3)
    await world.registry.refresh(force=True)
    await _fill(world, ["session-1", "session-2", "session-3"])
    await world.heartbeat("w1", 3, status="draining")
    await world.heartbeat("w2", 2)
    outcome = await world.registry.refresh(force=True)
    assert (outcome.moved, outcome.orphaned) == (2, 0)
    assert await _ask(world, "session-4") is None
    pool = await _pool(world)
    assert (pool.workers, pool.draining, pool.capacity, pool.active, pool.free) == (1, 1, 2, 3, 0)
    await world.leave("w1")
    outcome = await world.registry.refresh(force=True)
    assert (outcome.dead_workers, outcome.left_workers, outcome.orphaned) == ((), ("w1",), 1)


async def test_a_worker_back_from_draining_is_used_again(world: World) -> None:
    await world.heartbeat("w1", 1, status="draining")
    await world.registry.refresh(force=True)
    assert await _ask(world, "session-1") is None
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    assert await _ask(world, "session-1") is not None


async def test_a_worker_that_changes_its_pool_leaves_its_sessions(world: World) -> None:
    await world.heartbeat("w1", 2)
    await world.registry.refresh(force=True)
    await _ask(world, "session-1")
    await world.heartbeat("w1", 2, LARGE)
    assert (await world.registry.refresh(force=True)).orphaned == 1
    assert (await _pool(world, LARGE)).free == 2
    assert (await _pool(world)).orphans == 1


async def test_less_capacity_than_leases_gives_no_negative_slots(world: World) -> None:
    await world.heartbeat("w1", 3)
    await world.registry.refresh(force=True)
    await _fill(world, ["session-1", "session-2", "session-3"])
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    assert (await _pool(world)).free == 0
    for session in ("session-1", "session-2"):
        await world.registry.release(SessionId(session))
    assert await _ask(world, "session-4") is None
    await world.registry.release(SessionId("session-3"))
    assert await _ask(world, "session-4") is not None


async def test_slots_follow_the_capacity_that_a_worker_measures(world: World) -> None:
    async def admitted(*names: str) -> list[bool]:
        return [await _ask(world, name) is not None for name in names]

    await world.heartbeat("w1", 2)
    await world.registry.refresh(force=True)
    assert await admitted("a-session", "b-session", "c-session") == [True, True, False]
    await world.heartbeat("w1", 3)
    await world.registry.refresh(force=True)
    assert await admitted("c-session", "d-session") == [True, False]
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    await world.registry.release(SessionId("a-session"))
    await world.registry.release(SessionId("b-session"))
    assert await admitted("c-session", "d-session") == [True, False]
    await world.registry.release(SessionId("c-session"))
    assert await admitted("d-session", "e-session") == [True, False]


async def test_pools_are_separate(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.heartbeat("w2", 1, LARGE)
    await world.registry.refresh(force=True)
    assert (await _fill(world, ["session-1"], LARGE))[0].worker_id == "w2"
    assert await _ask(world, "session-2", LARGE) is None
    assert (await _fill(world, ["session-2"]))[0].worker_id == "w1"


async def test_everything_at_once_never_overbooks_and_counts_return_to_zero(world: World) -> None:
    for number in range(3):
        await world.heartbeat(f"w{number}", 5)
    await world.registry.refresh(force=True)
    sessions = [f"session-{number:02}" for number in range(20)]
    asked = [_ask(world, session) for session in sessions]
    refreshes = [world.registry.refresh(force=True) for _ in range(5)]
    leases, _ = await asyncio.gather(asyncio.gather(*asked), asyncio.gather(*refreshes))
    granted = [lease for lease in leases if lease is not None]
    assert len(granted) == 15
    assert (await _pool(world)).active == 15
    await world.crash("w0")
    await asyncio.gather(
        world.registry.refresh(force=True),
        world.registry.refresh(force=True),
        *(world.registry.release(lease.session_id) for lease in granted[:7]),
    )
    await world.let_expire([lease.session_id for lease in granted[7:]])
    await asyncio.gather(world.registry.refresh(force=True), world.registry.refresh(force=True))
    pool = await _pool(world)
    assert (pool.workers, pool.capacity, pool.active, pool.free, pool.orphans) == (2, 10, 0, 10, 0)
    assert (await world.registry.leases("", 100)).sessions == ()


async def test_leases_are_listed_page_by_page(world: World) -> None:
    await world.heartbeat("w1", 50)
    await world.registry.refresh(force=True)
    sessions = [f"session-{number:02}" for number in range(25)]
    await _fill(world, sessions)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await world.registry.leases(cursor, 10)
        seen += [lease.session_id for lease in page.sessions]
        assert all(0 < lease.expires_in_ms <= TTL_S * 1000 for lease in page.sessions)
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(seen) == sessions
