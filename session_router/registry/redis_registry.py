"""The registry on the control Redis: every change is one Lua script, so routers need no locks."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import cast

import msgspec
from redis.asyncio import Redis

from session_router.registry.registry import (
    Census,
    LeaseConflict,
    LeasePage,
    LiveLease,
    RefreshOutcome,
    StoredLease,
    WorkerState,
    pool_capacities,
)
from session_router.registry.registry_scripts import RegistryScripts, chunks
from shared.bus import keys
from shared.bus.redis_errors import redis_errors
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import Lease, RenewReply, WorkerReport

RENEWALS_PER_CALL = 500
WORKERS_PER_CALL = 100
EXPIRED_PER_CALL = 200
"""Sizes of one script call: a few milliseconds of Redis's time at most."""

_lease_decoder = msgspec.json.Decoder(StoredLease)
_report_decoder = msgspec.json.Decoder(WorkerReport)


class RedisRegistry:
    """`Registry` on one Redis. `refresh_interval_s` is how often routers, together, refresh it."""

    def __init__(self, redis: Redis, refresh_interval_s: float) -> None:
        self._redis = redis
        self._scripts = RegistryScripts(redis)
        # Somewhat less than the interval, so that the next tick of the same router is not skipped.
        self._quiet_ms = max(1, int(refresh_interval_s * 800))

    async def lease(
        self,
        session_id: SessionId,
        pool: PoolName,
        requested_pool: PoolName,
        ttl_s: float,
        holder: str = "",
    ) -> Lease | None:
        ttl_ms = int(ttl_s * 1000)
        with redis_errors("leasing a slot"):
            answer = await self._scripts.call("lease", session_id, pool, requested_pool, ttl_ms, holder)
        kind = answer[0]
        if kind == b"full":
            return None
        if kind == b"conflict":
            raise LeaseConflict(
                f"session {session_id} holds a lease in pool {answer[1].decode()!r}; "
                f"release it before asking for pool {requested_pool!r}"
            )
        return _lease_decoder.decode(answer[1]).granted(session_id, ttl_s)

    async def renew(self, session_ids: Sequence[SessionId], ttl_s: float) -> RenewReply:
        leases: list[Lease] = []
        lost: list[SessionId] = []
        for chunk in chunks(session_ids, RENEWALS_PER_CALL):
            with redis_errors("renewing leases"):
                found = await self._scripts.call("renew", int(ttl_s * 1000), *chunk)
            for name, stored in zip(chunk, found, strict=True):
                session_id = SessionId(name)
                if stored is None:
                    lost.append(session_id)
                else:
                    leases.append(_lease_decoder.decode(stored).granted(session_id, ttl_s))
        return RenewReply(tuple(leases), tuple(lost))

    async def release(self, session_id: SessionId, holder: str | None = None) -> bool:
        arguments = [session_id] if holder is None else [session_id, holder]
        with redis_errors("releasing a lease"):
            return bool(await self._scripts.call("release", *arguments))

    async def refresh(self, *, force: bool) -> RefreshOutcome:
        with redis_errors("refreshing the registry"):
            mine = await self._redis.set(keys.REFRESHED, b"1", px=self._quiet_ms, nx=not force)
            if not mine:
                return RefreshOutcome(skipped=True)
            outcome = await self._sync(await self._worker_ids())
            return outcome._replace(expired=await self._expire())

    async def census(self) -> Census:
        with redis_errors("reading the registry"):
            workers = await self._read_workers(await self._worker_ids())
            orphans = await self._count_orphans()
        return Census(workers, pool_capacities(workers, orphans))

    async def leases(self, cursor: str, limit: int) -> LeasePage:
        with redis_errors("listing leases"):
            position, found = await self._redis.hscan(keys.LEASES, int(cursor or "0"), count=limit)
            if not found:
                return LeasePage((), str(position) if position else "")
            expiries = await self._redis.zmscore(keys.ACTIVE_SESSIONS, list(found))
            seconds, microseconds = await self._redis.time()
        now_ms = seconds * 1000 + microseconds // 1000
        sessions = tuple(
            _live(SessionId(name.decode()), _lease_decoder.decode(stored), int(expiry or 0) - now_ms)
            for (name, stored), expiry in zip(found.items(), expiries, strict=True)
        )
        return LeasePage(sessions, str(position) if position else "")

    async def ping(self) -> None:
        with redis_errors("pinging the control Redis"):
            await self._redis.ping()

    async def _worker_ids(self) -> list[str]:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrange(keys.WORKERS, 0, -1)
        pipeline.hkeys(keys.KNOWN_WORKERS)
        reporting, known = await pipeline.execute()
        return sorted({name.decode() for name in (*reporting, *known)})

    async def _sync(self, worker_ids: Sequence[str]) -> RefreshOutcome:
        total = RefreshOutcome()
        for chunk in chunks(worker_ids, WORKERS_PER_CALL):
            dead, left, moved, orphaned, adopted, unreadable = await self._scripts.call("sync", *chunk)
            total = RefreshOutcome(
                dead_workers=total.dead_workers + tuple(WorkerId(name.decode()) for name in dead),
                left_workers=total.left_workers + tuple(WorkerId(name.decode()) for name in left),
                moved=total.moved + moved,
                orphaned=total.orphaned + orphaned,
                adopted=total.adopted + adopted,
                unreadable=total.unreadable + unreadable,
            )
        return total

    async def _expire(self) -> int:
        total = 0
        while True:
            expired = int(await self._scripts.call("expire", EXPIRED_PER_CALL))
            total += expired
            if expired < EXPIRED_PER_CALL:
                return total

    async def _read_workers(self, worker_ids: Sequence[str]) -> tuple[WorkerState, ...]:
        pipeline = self._redis.pipeline(transaction=False)
        for name in worker_ids:
            pipeline.hget(keys.worker(WorkerId(name)), "report")
            pipeline.scard(keys.worker_sessions(WorkerId(name)))
        answers = await pipeline.execute()
        states = []
        for text, leased in zip(answers[::2], answers[1::2], strict=True):
            report = _readable(text)
            if report is not None:
                states.append(WorkerState(report, leased))
        return tuple(states)

    async def _count_orphans(self) -> dict[PoolName, int]:
        names = await cast("Awaitable[set[bytes]]", self._redis.smembers(keys.POOLS))
        pools = [PoolName(name.decode()) for name in names]
        pipeline = self._redis.pipeline(transaction=False)
        for pool in pools:
            pipeline.scard(keys.orphans(pool))
        return dict(zip(pools, cast(list[int], await pipeline.execute()), strict=True))


def _readable(text: bytes | None) -> WorkerReport | None:
    """A report, unless the worker is gone or writes something else (then refresh counts it)."""
    if text is None:
        return None
    try:
        return _report_decoder.decode(text)
    except msgspec.DecodeError:
        return None


def _live(session_id: SessionId, lease: StoredLease, expires_in_ms: int) -> LiveLease:
    return LiveLease(
        session_id=session_id,
        pool=lease.pool,
        worker_id=lease.worker_id,
        degraded=lease.pool != lease.requested_pool,
        expires_in_ms=expires_in_ms,
    )
