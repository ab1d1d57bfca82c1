"""The registry on the control Redis: every change is one Lua script, so routers need no locks."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import cast

import msgspec
from redis.asyncio import Redis

from session_router.registry.registry import (
    Census,
    LeasePage,
    LeaseRequest,
    LiveLease,
    NoSlot,
    RefreshOutcome,
    StoredLease,
    WorkerState,
    held_by_another,
    in_another_pool,
    pool_capacities,
)
from session_router.registry.registry_scripts import RegistryScripts, chunks
from shared.bus import keys
from shared.bus.redis_errors import redis_errors
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import HeldLease, Lease, RenewReply, WorkerReport

RENEWALS_PER_CALL = 200
WORKERS_PER_CALL = 100
EXPIRED_PER_CALL = 200
"""Sizes of one script call: a few milliseconds of Redis's time at most."""

_lease_decoder = msgspec.json.Decoder(StoredLease)
_report_decoder = msgspec.json.Decoder(WorkerReport)


class RedisRegistry:
    """`Registry` on one Redis. `refresh_interval_s` is how often routers, together, refresh it."""

    def __init__(self, redis: Redis, refresh_interval_s: float, lease_ttl_s: float = 30.0) -> None:
        self._redis = redis
        self._scripts = RegistryScripts(redis)
        self._ttl_s = lease_ttl_s
        self._ttl_ms = int(lease_ttl_s * 1000)
        # Somewhat less than the interval, so that the next tick of the same router is not skipped.
        self._quiet_ms = max(1, int(refresh_interval_s * 800))

    async def lease(self, request: LeaseRequest) -> Lease | NoSlot:
        session_id = request.session_id
        with redis_errors("leasing a slot"):
            answer = await self._scripts.call(
                "lease",
                session_id,
                request.pool,
                request.requested_pool,
                self._ttl_ms,
                request.holder,
                request.tenant,
                int(request.takes_over),
            )
        match answer[0]:
            case b"full":
                return NoSlot.FULL
            case b"no_worker":
                return NoSlot.NO_WORKER
            case b"held":
                raise held_by_another(session_id)
            case b"conflict":
                raise in_another_pool(session_id, answer[1].decode(), request.requested_pool)
        return _lease_decoder.decode(answer[1]).granted(session_id, self._ttl_s)

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        leases: list[Lease] = []
        restored: list[SessionId] = []
        taken: list[SessionId] = []
        for chunk in chunks(held, RENEWALS_PER_CALL):
            arguments = [text for lease in chunk for text in _renewal(lease)]
            with redis_errors("renewing leases"):
                answers = await self._scripts.call("renew", self._ttl_ms, *arguments)
            for lease, outcome, stored in zip(chunk, answers[::2], answers[1::2], strict=True):
                if outcome == b"taken":
                    taken.append(lease.session_id)
                    continue
                if outcome == b"restored":
                    restored.append(lease.session_id)
                leases.append(_lease_decoder.decode(stored).granted(lease.session_id, self._ttl_s))
        return RenewReply(tuple(leases), tuple(restored), tuple(taken))

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> bool:
        with redis_errors("releasing a lease"):
            keep_ms = int(keep_s * 1000)
            return bool(await self._scripts.call("release", session_id, holder, keep_ms, self._ttl_ms))

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
            expired = int(await self._scripts.call("expire", EXPIRED_PER_CALL, self._ttl_ms))
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


def _renewal(held: HeldLease) -> tuple[str | int, ...]:
    """One lease as the renew script takes it."""
    names = (held.session_id, held.holder, held.pool, held.requested_pool, held.tenant)
    return (*names, int(held.takes_over))


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
        parked=lease.parked,
        tenant=lease.tenant or "",
        expires_in_ms=expires_in_ms,
    )
