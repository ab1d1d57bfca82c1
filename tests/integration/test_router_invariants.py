"""Random histories against the Redis registry: nothing is overbooked, leaked or counted twice (I7)."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from redis.asyncio import Redis

from session_router.registry.redis_registry import RedisRegistry
from session_router.registry.registry import LeaseRequest, NoSlot
from shared.bus import keys
from shared.bus.redis_connections import open_client
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import HeldLease, Lease, WorkerReport, WorkerStatus

POOL = PoolName("default")
WORKERS = [f"w{number}" for number in range(4)]
SESSIONS = [SessionId(f"session-{number:02}") for number in range(24)]
STEPS = 120
HOLDER = "connection-1"
LEASE_TTL_S = 600.0
"""Longer than a history takes: leases end only where it says so."""


@pytest.fixture
async def redis(redis_urls: Sequence[str]) -> AsyncIterator[Redis]:
    client = open_client(redis_urls[0])
    yield client
    await client.aclose(close_connection_pool=True)


class History:
    """Two routers on one Redis, and a seeded stream of what may happen to them."""

    def __init__(self, redis: Redis, seed: int) -> None:
        self._redis = redis
        self._random = random.Random(seed)
        self._routers = [RedisRegistry(redis, 1000, LEASE_TTL_S), RedisRegistry(redis, 1000, LEASE_TTL_S)]
        self.capacity: dict[str, int] = {}
        self.held: set[SessionId] = set()
        self.given_up: set[SessionId] = set()
        """Sessions whose lease their holder gave back, or left to be kept, and has not asked for since."""

    @property
    def router(self) -> RedisRegistry:
        return self._random.choice(self._routers)

    async def step(self) -> None:
        kinds = {
            self.lease: 8,
            self.release: 5,
            self.refresh: 3,
            self.heartbeat: 2,
            self.keep: 2,
            self.drain: 1,
            self.crash: 1,
            self.expire: 1,
            self.renew: 1,
        }
        await self._random.choices(list(kinds), list(kinds.values()))[0]()

    async def lease(self) -> None:
        session = self._random.choice(SESSIONS)
        if isinstance(await self.router.lease(LeaseRequest(session, POOL, POOL, HOLDER)), Lease):
            self.held.add(session)
            self.given_up.discard(session)

    async def release(self) -> None:
        session = self._random.choice(SESSIONS)
        assert await self.router.release(session, HOLDER) == (session in self.held)
        self.given_up |= self.held & {session}
        self.held.discard(session)

    async def keep(self) -> None:
        session = self._random.choice(SESSIONS)
        assert await self.router.release(session, HOLDER, 600) == (session in self.held)
        self.given_up |= self.held & {session}

    async def refresh(self) -> None:
        await self.router.refresh(force=True)

    async def heartbeat(self) -> None:
        await self.report(self._random.choice(WORKERS), "ready")

    async def drain(self) -> None:
        await self.report(self._random.choice(WORKERS), "draining")

    async def crash(self) -> None:
        worker = self._random.choice(WORKERS)
        await self._redis.delete(keys.worker(WorkerId(worker)))
        self.capacity.pop(worker, None)

    async def expire(self) -> None:
        session = self._random.choice(SESSIONS)
        if session in self.held:
            await self._redis.zadd(keys.ACTIVE_SESSIONS, {session: 1})
            assert (await self.router.refresh(force=True)).expired == 1
            self.held.discard(session)

    async def renew(self) -> None:
        """By their holder, of sessions with a lease and without; and by somebody who holds none."""
        chosen = self._random.sample(SESSIONS, 3)
        reply = await self.router.renew([HeldLease(name, "stranger", POOL, POOL) for name in self.held])
        assert set(reply.taken) == self.held
        reply = await self.router.renew([HeldLease(name, HOLDER, POOL, POOL) for name in chosen])
        assert set(reply.restored) == set(chosen) - self.held - self.given_up
        assert set(reply.taken) == self.given_up.intersection(chosen)
        self.held |= set(reply.restored)

    async def report(self, worker: str, status: WorkerStatus) -> None:
        # A live worker keeps its capacity; a new one may bring another.
        capacity = self.capacity.setdefault(worker, self._random.randint(1, 5))
        report = WorkerReport(WorkerId(worker), POOL, status, capacity)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zadd(keys.WORKERS, {worker: 1})
            pipeline.hset(keys.worker(WorkerId(worker)), "report", msgspec.json.encode(report).decode())
            await pipeline.execute()

    async def check(self) -> None:
        """What must hold after every refresh."""
        await self.router.refresh(force=True)
        census = await self.router.census()
        listed = [lease async for lease in self._all_leases()]
        assert sorted(listed) == sorted(self.held)
        assert sum(pool.active for pool in census.pools) == len(self.held)
        slots = dict(await self._redis.zrange(keys.free_slots(POOL), 0, -1, withscores=True))
        for state in census.workers:
            assert state.leased <= state.report.capacity
            if state.report.status != "draining":
                assert slots[state.report.worker_id.encode()] == state.report.capacity - state.leased
        serving = {state.report.worker_id for state in census.workers if state.report.status != "draining"}
        assert {name.decode() for name in slots} == serving
        for pool in census.pools:
            assert not (pool.orphans and pool.free)

    async def _all_leases(self) -> AsyncIterator[SessionId]:
        cursor = ""
        while True:
            page = await self.router.leases(cursor, 100)
            for lease in page.sessions:
                yield lease.session_id
            cursor = page.cursor
            if not cursor:
                return


@pytest.mark.parametrize("seed", range(12))
async def test_any_history_keeps_the_books(redis: Redis, seed: int) -> None:
    history = History(redis, seed)
    for number in range(STEPS):
        await history.step()
        if number % 10 == 9:
            await history.check()
    for session in SESSIONS:
        await history.router.release(session, HOLDER)
    history.held.clear()
    for worker in WORKERS:
        await history.report(worker, "ready")
    await history.check()
    pool = (await history.router.census()).pools[0]
    assert (pool.active, pool.orphans) == (0, 0)
    assert pool.free == pool.capacity == sum(history.capacity.values())
    left = {key.decode() for key in await redis.keys("router:*")}
    always = {
        keys.WORKERS,
        keys.KNOWN_WORKERS,
        keys.POOLS,
        keys.REFRESHED,
        keys.EXPIRY,
        keys.FORMER_HOLDERS,
        keys.free_slots(POOL),
    }
    assert left == always | {keys.worker(WorkerId(worker)) for worker in WORKERS}


async def test_only_one_router_refreshes_per_interval(redis: Redis) -> None:
    one, two = RedisRegistry(redis, 1000), RedisRegistry(redis, 1000)
    assert not (await one.refresh(force=False)).skipped
    assert (await two.refresh(force=False)).skipped
    assert not (await two.refresh(force=True)).skipped


@pytest.mark.parametrize("report", ["", "{", "[]", '{"pool": 1, "capacity": 2}', '{"pool": "default"}'])
async def test_a_report_that_cannot_be_read_is_counted_and_gets_no_session(redis: Redis, report: str) -> None:
    registry = RedisRegistry(redis, 1000)
    await redis.zadd(keys.WORKERS, {"w1": 1})
    await redis.execute_command("HSET", keys.worker(WorkerId("w1")), "report", report)  # type: ignore[no-untyped-call]
    assert (await registry.refresh(force=True)).unreadable == 1
    assert await registry.lease(LeaseRequest(SESSIONS[0], POOL, POOL, HOLDER)) is NoSlot.NO_WORKER
    assert (await registry.census()).workers == ()


async def test_scripts_forgotten_by_the_server_are_loaded_again(redis: Redis) -> None:
    registry = RedisRegistry(redis, 1000)
    await registry.refresh(force=True)
    await redis.script_flush()
    assert await registry.lease(LeaseRequest(SESSIONS[0], POOL, POOL, HOLDER)) is NoSlot.NO_WORKER
