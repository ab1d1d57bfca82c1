"""Segments this worker has taken and not yet answered: what bounds the intake and what is refreshed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from shared.bus.ports import Claim


class InFlight:
    """Claims in flight, by shard. Bounded: readers claim no more than `room`."""

    def __init__(self, shards: int, max_per_shard: int) -> None:
        self._max = max_per_shard
        self._claims: tuple[dict[str, Claim], ...] = tuple({} for _ in range(shards))
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return sum(map(len, self._claims))

    def room(self, shard: int) -> int:
        """How many more segments of this shard may be taken."""
        return max(0, self._max - len(self._claims[shard]))

    def all(self) -> list[Claim]:
        return [claim for shard in self._claims for claim in shard.values()]

    def add(self, claim: Claim) -> bool:
        """Note a claim; False if it is in flight already (reclaimed from ourselves)."""
        shard = self._claims[claim.shard]
        if claim.entry_id in shard:
            return False
        shard[claim.entry_id] = claim
        return True

    async def remove(self, claims: Iterable[Claim]) -> None:
        """Forget answered claims and wake those who wait for it."""
        async with self._changed:
            for claim in claims:
                self._claims[claim.shard].pop(claim.entry_id, None)
            self._changed.notify_all()

    async def wait_for_room(self, shard: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.room(shard) > 0)

    async def wait_until_answered(self, claim: Claim) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: claim.entry_id not in self._claims[claim.shard])
