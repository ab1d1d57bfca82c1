"""Usage added up in one process, for tests."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from gateway.usage.store import UsageBatch, UsageKey, Used


class MemoryUsage:
    """A `UsageStore` of one process."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._used: dict[tuple[dt.date, UsageKey], Used] = defaultdict(Used)

    async def add(self, batch: UsageBatch) -> None:
        if batch.name in self._seen:
            return
        self._seen.add(batch.name)
        for key, used in batch.used.items():
            self._used[batch.day, key] = self._used[batch.day, key].plus(used)

    async def read(self, tenant: str, days: Sequence[dt.date]) -> dict[dt.date, dict[str, Used]]:
        found: dict[dt.date, dict[str, Used]] = {}
        for (day, key), used in self._used.items():
            if key.tenant == tenant and day in days:
                found.setdefault(day, {})[key.pool] = used
        return found
