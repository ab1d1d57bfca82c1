"""One suite for both registries: whatever the router relies on holds in memory and on Redis alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol

import msgspec
import pytest
from redis.asyncio import Redis

from session_router.registry.redis_registry import RedisRegistry
from session_router.registry.registry import (
    ORPHANED,
    LeaseConflict,
    LeaseRequest,
    NoSlot,
    PoolCapacity,
    Registry,
)
from shared.bus import keys
from shared.bus.redis_connections import command
from shared.clock import ManualClock
from shared.errors import LeaseHeld
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import HeldLease, Lease, WorkerReport, WorkerStatus
from tests.memory.registry import MemoryRegistry

TTL_S = 30.0
HOLDER = "connection-1"
OTHER = "connection-2"
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

    async def routers_away(self, seconds: float) -> None:
        """No router has looked at the registry for so long."""
        ...

    async def wipe(self) -> None:
        """The registry has lost its leases."""
        ...


def _report(worker: str, capacity: int, pool: PoolName, status: WorkerStatus) -> WorkerReport:
    return WorkerReport(WorkerId(worker), pool, status, capacity, models=(f"model-of-{pool}@1",))


class MemoryWorld:
    def __init__(self) -> None:
        self._clock = ManualClock()
        self._memory = MemoryRegistry(self._clock, heartbeat_ttl_s=1_000_000, lease_ttl_s=TTL_S)
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

    async def routers_away(self, seconds: float) -> None:
        self._memory._state.seen_s = self._clock.monotonic() - seconds

    async def wipe(self) -> None:
        self._memory._state.held.clear()


class RedisWorld:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.registry: Registry = RedisRegistry(redis, 1000, TTL_S)

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

    async def routers_away(self, seconds: float) -> None:
        now_s, _ = await self._redis.time()
        await command(self._redis, "HSET", keys.EXPIRY, "seen", int((now_s - seconds) * 1000))

    async def wipe(self) -> None:
        sets = [key async for key in self._redis.scan_iter("router:worker:*:sessions")]
        await self._redis.delete(keys.LEASES, keys.ACTIVE_SESSIONS, *sets)


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


async def _ask(
    world: World,
    session: str,
    pool: PoolName = DEFAULT,
    *,
    holder: str = HOLDER,
    tenant: str = "",
    takes_over: bool = False,
) -> Lease | None:
    request = LeaseRequest(SessionId(session), pool, pool, holder, tenant, takes_over)
    found = await world.registry.lease(request)
    return found if isinstance(found, Lease) else None


async def _release(world: World, session: str, holder: str = HOLDER, keep_s: float = 0.0) -> bool:
    return await world.registry.release(SessionId(session), holder, keep_s)


def _held(
    session: str,
    holder: str = HOLDER,
    *,
    tenant: str = "",
    takes_over: bool = False,
    pool: PoolName = DEFAULT,
) -> HeldLease:
    return HeldLease(SessionId(session), holder, pool, pool, tenant, takes_over)


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


async def test_every_pool_is_shown_with_the_models_of_its_workers(world: World) -> None:
    accurate = PoolName("accurate")
    for worker, pool in (("w1", DEFAULT), ("w2", DEFAULT), ("w3", accurate)):
        await world.heartbeat(worker, 2, pool)
    await world.heartbeat("w4", 2, accurate, "draining")
    await world.registry.refresh(force=True)
    assert (await _pool(world)).models == (f"model-of-{DEFAULT}@1",)
    assert (await _pool(world, accurate)).models == ("model-of-accurate@1",)


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
    assert await _release(world, "session-1")
    assert not await _release(world, "session-1")
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


async def test_only_the_holder_renews_and_releases(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    assert await _ask(world, "session-1")
    with pytest.raises(LeaseHeld):
        await _ask(world, "session-1", holder=OTHER)
    assert (await world.registry.renew([_held("session-1", OTHER)])).taken == ("session-1",)
    assert not await _release(world, "session-1", OTHER)
    assert not await _release(world, "session-1", OTHER, keep_s=20)
    await world.let_expire(["session-1"])
    assert (await world.registry.renew([_held("session-1")])).taken == ()
    assert (await world.registry.refresh(force=True)).expired == 0
    assert await _release(world, "session-1")
    assert (await _pool(world)).active == 0


async def test_who_takes_the_session_over_holds_its_lease_from_then_on(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    first = await _ask(world, "session-1")
    assert await _ask(world, "session-1", holder=OTHER, takes_over=True) == first
    assert not await _release(world, "session-1")
    assert (await world.registry.renew([_held("session-1")])).taken == ("session-1",)
    assert (await _pool(world)).active == 1
    assert await _release(world, "session-1", OTHER)


async def test_a_renewal_that_arrives_after_the_release_does_not_bring_the_slot_back(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    await _ask(world, "session-1")
    await _release(world, "session-1")
    late = await world.registry.renew([_held("session-1")])
    assert (late.leases, late.restored, late.taken) == ((), (), ("session-1",))
    assert (await _pool(world)).active == 0
    assert await _ask(world, "session-2"), "its slot is free"
    await _release(world, "session-2")
    # The same client again, in a new connection or (asked a second time) in the same one.
    assert await _ask(world, "session-1", holder=OTHER)
    await _release(world, "session-1", OTHER)
    assert await _ask(world, "session-1")
    assert len((await world.registry.renew([_held("session-1")])).leases) == 1


async def test_no_former_holder_brings_the_slot_back(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    await _ask(world, "session-1")
    await _ask(world, "session-1", holder=OTHER, takes_over=True)
    await _release(world, "session-1", OTHER)
    for holder in (HOLDER, OTHER):
        assert (await world.registry.renew([_held("session-1", holder)])).taken == ("session-1",)
    assert (await _pool(world)).active == 0
    # One that still owns its session says so with its next renewal.
    assert (await world.registry.renew([_held("session-1", takes_over=True)])).restored == ("session-1",)
    assert (await world.registry.renew([_held("session-1")])).restored == ()


async def test_a_kept_slot_that_is_given_up_stays_free(world: World) -> None:
    """Its client left, then had the session deleted; a renewal from before both is still on its way."""
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    await _ask(world, "session-1")
    assert await _release(world, "session-1", keep_s=20)
    assert await _release(world, "session-1")
    assert (await world.registry.renew([_held("session-1")])).taken == ("session-1",)
    assert await _ask(world, "session-2")


async def test_another_tenant_never_gets_a_lease(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    await _ask(world, "session-1", tenant="acme")
    for takes_over in (False, True):
        with pytest.raises(LeaseHeld):
            await _ask(world, "session-1", holder=OTHER, tenant="beta", takes_over=takes_over)
    foreign = _held("session-1", OTHER, tenant="beta", takes_over=True)
    assert (await world.registry.renew([foreign])).taken == ("session-1",)
    await _release(world, "session-1", keep_s=20)
    with pytest.raises(LeaseHeld):
        await _ask(world, "session-1", holder=OTHER, tenant="beta")
    assert await _ask(world, "session-1", holder=OTHER, tenant="acme")


async def test_a_kept_slot_waits_for_its_session_in_a_full_pool(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    lease = await _ask(world, "session-1")
    assert await _release(world, "session-1", keep_s=20)
    assert await _ask(world, "session-2") is None
    page = await world.registry.leases("", 10)
    assert [(found.parked, found.expires_in_ms <= 20_000) for found in page.sessions] == [(True, True)]
    # A renewal that was on its way when the client left does not hold the slot any longer than said.
    assert (await world.registry.renew([_held("session-1")])).taken == ("session-1",)
    assert await _ask(world, "session-1", holder=OTHER) == lease
    assert not (await world.registry.leases("", 10)).sessions[0].parked


async def test_a_kept_slot_is_free_once_its_time_is_over(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    await _ask(world, "session-1")
    await _release(world, "session-1", keep_s=20)
    await world.let_expire(["session-1"])
    assert (await world.registry.refresh(force=True)).expired == 1
    assert await _ask(world, "session-2") is not None


async def test_a_pool_without_worker_is_told_from_a_full_one(world: World) -> None:
    async def asked(session: str) -> Lease | NoSlot:
        return await world.registry.lease(LeaseRequest(SessionId(session), DEFAULT, DEFAULT, HOLDER))

    await world.registry.refresh(force=True)
    assert await asked("session-1") is NoSlot.NO_WORKER
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    assert isinstance(await asked("session-1"), Lease)
    assert await asked("session-2") is NoSlot.FULL
    await world.heartbeat("w1", 1, status="draining")
    await world.registry.refresh(force=True)
    assert await asked("session-2") is NoSlot.NO_WORKER


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
    lease = await world.registry.lease(LeaseRequest(SessionId("session-1"), DEFAULT, LARGE, HOLDER))
    assert isinstance(lease, Lease)
    assert lease.degraded
    assert await _ask(world, "session-1", LARGE) == lease
    assert await _ask(world, "session-1", DEFAULT) == lease


async def test_renewal_keeps_leases_and_makes_lost_ones_again(world: World) -> None:
    await world.heartbeat("w1", 5)
    await world.registry.refresh(force=True)
    leases = await _fill(world, ["session-1", "session-2"])
    await world.let_expire(["session-1", "session-2"])
    reply = await world.registry.renew([_held(f"session-{n}") for n in (1, 9, 2)])
    assert [lease for lease in reply.leases if lease.session_id != "session-9"] == leases
    assert reply.restored == ("session-9",)
    assert (await world.registry.refresh(force=True)).expired == 0
    assert (await _pool(world)).active == 3


async def test_a_living_session_gets_its_lease_back_in_a_full_pool_before_any_new_one(world: World) -> None:
    await world.heartbeat("w1", 2)
    await world.registry.refresh(force=True)
    await _fill(world, ["session-1", "session-2"])
    await world.wipe()
    await world.registry.refresh(force=True)
    await _fill(world, ["newcomer-1", "newcomer-2"])
    reply = await world.registry.renew([_held("session-1"), _held("session-2")])
    assert [lease.worker_id for lease in reply.leases] == [ORPHANED, ORPHANED]
    assert reply.restored == ("session-1", "session-2")
    pool = await _pool(world)
    assert (pool.active, pool.orphans, pool.free) == (4, 2, 0)
    await _release(world, "newcomer-1")
    assert await _ask(world, "newcomer-3") is None
    assert (await _pool(world)).orphans == 1


async def test_after_a_time_without_routers_no_lease_expires_before_it_could_be_renewed(world: World) -> None:
    await world.heartbeat("w1", 2)
    await world.registry.refresh(force=True)
    await _fill(world, ["session-1", "session-2"])
    await world.let_expire(["session-1", "session-2"])
    await world.routers_away(90)
    assert (await world.registry.refresh(force=True)).expired == 0
    assert await _ask(world, "newcomer") is None
    reply = await world.registry.renew([_held("session-1"), _held("session-2")])
    assert (len(reply.leases), reply.restored, reply.taken) == (2, (), ())
    assert (await world.registry.refresh(force=True)).expired == 0


async def test_a_renewal_may_take_over_what_another_holder_was_given(world: World) -> None:
    await world.heartbeat("w1", 1)
    await world.registry.refresh(force=True)
    await _ask(world, "session-1", holder=OTHER)
    assert (await world.registry.renew([_held("session-1")])).taken == ("session-1",)
    reply = await world.registry.renew([_held("session-1", takes_over=True)])
    assert (len(reply.leases), reply.restored, reply.taken) == (1, (), ())
    assert (await world.registry.renew([_held("session-1", OTHER)])).taken == ("session-1",)


async def test_expired_leases_are_freed(world: World) -> None:
    await world.heartbeat("w1", 2)
    await world.registry.refresh(force=True)
    await _fill(world, ["session-1", "session-2"])
    await world.let_expire(["session-1"])
    assert (await world.registry.refresh(force=True)).expired == 1
    assert await _ask(world, "session-3") is not None
    assert (await world.registry.renew([_held("session-1")])).restored == ("session-1",)


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
    reply = await world.registry.renew([_held(f"session-{n}") for n in (1, 2, 3)])
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
    await _release(world, two.session_id)
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
        await _release(world, session)
    assert await _ask(world, "session-4") is None
    await _release(world, "session-3")
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
    await _release(world, "a-session")
    await _release(world, "b-session")
    assert await admitted("c-session", "d-session") == [True, False]
    await _release(world, "c-session")
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
        *(_release(world, lease.session_id) for lease in granted[:7]),
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
