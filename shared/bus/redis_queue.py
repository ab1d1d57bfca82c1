"""The `WorkQueue` on Redis: a consumer of the pool's segment stream on every shard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shared.bus import keys
from shared.bus.dead_letters import bury_note, describe
from shared.bus.limits import BusLimits
from shared.bus.metrics import BusMetrics
from shared.bus.ports import Claim, ClaimState, CommitOutcome
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_consumer import ShardConsumer
from shared.bus.redis_errors import redis_errors
from shared.errors import BusUnavailable
from shared.ids import PoolName, WorkerId
from shared.protocol.segments import SegmentResult

_Answer = TypeVar("_Answer")


class RedisWorkQueue:
    """See `shared.bus.ports.WorkQueue`. One object per worker process; connections stay the caller's.

    A shard that is down fails only what concerns it: `start`, `depth`, `oldest_age_ms` and `close`
    raise only when no shard answers, `commit` and
    `refresh` after all shards have been tried.
    """

    def __init__(
        self,
        connections: RedisConnections,
        pool: PoolName,
        worker_id: WorkerId,
        limits: BusLimits | None = None,
        metrics: BusMetrics | None = None,
    ) -> None:
        self._limits, metrics = limits or BusLimits(), metrics or BusMetrics()
        self._consumers = tuple(
            ShardConsumer(shard, keys.segments(pool), worker_id, self._limits, metrics)
            for shard in connections.shards
        )

    @property
    def shards(self) -> int:
        return len(self._consumers)

    async def start(self) -> None:
        await self._of_those_up(ShardConsumer.ensure_group)

    async def claim(self, shard: int, max_items: int, block_ms: int) -> list[Claim]:
        return await self._consumers[shard].claim(max_items, block_ms)

    async def reclaim(self, shard: int, min_idle_ms: int, max_items: int) -> list[Claim]:
        return await self._consumers[shard].reclaim(min_idle_ms, max_items)

    async def commit(self, finished: Sequence[tuple[Claim, SegmentResult]]) -> list[CommitOutcome]:
        places: dict[int, list[int]] = {}
        for at, (claim, _result) in enumerate(finished):
            places.setdefault(claim.shard, []).append(at)
        per_shard = await asyncio.gather(
            *(self._consumers[shard].commit([finished[at] for at in ats]) for shard, ats in places.items()),
            return_exceptions=True,
        )
        outcomes: dict[int, CommitOutcome] = {}
        for ats, done in zip(places.values(), per_shard, strict=True):
            if isinstance(done, BaseException):
                raise done
            outcomes.update(zip(ats, done, strict=True))
        return [outcomes[at] for at in range(len(finished))]

    async def look_up(self, claims: Sequence[Claim]) -> list[ClaimState]:
        places: dict[int, list[int]] = {}
        for at, claim in enumerate(claims):
            places.setdefault(claim.shard, []).append(at)
        states: dict[int, ClaimState] = {}
        for shard, ats in places.items():
            found = await self._consumers[shard].look_up([claims[at] for at in ats])
            states.update(zip(ats, found, strict=True))
        return [states[at] for at in range(len(claims))]

    async def bury(self, claim: Claim, reason: str) -> None:
        client = self._consumers[claim.shard].shard.commands
        with redis_errors("burying a segment"):
            await bury_note(client, describe(claim, reason), self._limits)

    async def refresh(self, claims: Sequence[Claim]) -> None:
        by_shard: dict[int, list[str]] = {}
        for claim in claims:
            by_shard.setdefault(claim.shard, []).append(claim.entry_id)
        ended = await asyncio.gather(
            *(self._consumers[shard].refresh(entry_ids) for shard, entry_ids in by_shard.items()),
            return_exceptions=True,
        )
        for end in ended:
            if isinstance(end, BaseException):
                raise end

    async def depth(self) -> int:
        return sum(length for length, _age_ms in await self._of_those_up(ShardConsumer.backlog))

    async def oldest_age_ms(self) -> int:
        return max(age_ms for _length, age_ms in await self._of_those_up(ShardConsumer.backlog))

    async def close(self) -> None:
        await self._of_those_up(ShardConsumer.leave)

    async def _of_those_up(self, ask: Callable[[ShardConsumer], Awaitable[_Answer]]) -> list[_Answer]:
        """The answers of the shards that are up. Raises `BusUnavailable` if none is."""
        answers = await asyncio.gather(
            *(ask(consumer) for consumer in self._consumers), return_exceptions=True
        )
        up: list[_Answer] = []
        away: BusUnavailable | None = None
        for answer in answers:
            if isinstance(answer, BusUnavailable):
                away = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                up.append(answer)
        if away is not None and not up:
            raise away
        return up
