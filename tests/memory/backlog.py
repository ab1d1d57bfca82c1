"""A backlog that is always empty, for routers under test that have no segment streams."""

from __future__ import annotations

from collections.abc import Sequence

from session_router.scaling.replicas import Backlog
from shared.ids import PoolName


class EmptyBacklog:
    """`BacklogGauge` for pools in which nothing waits."""

    async def read(self, pools: Sequence[PoolName]) -> dict[PoolName, Backlog]:
        return {pool: Backlog() for pool in pools}
