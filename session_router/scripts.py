"""The registry's Lua scripts, each with the shared prelude and the keys every one of them gets."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from shared.bus import keys
from shared.ids import PoolName, WorkerId

_KEYS = [keys.WORKERS, keys.ACTIVE_SESSIONS, keys.LEASES, keys.KNOWN_WORKERS, keys.POOLS]
_NAME = "<id>"
_TEMPLATES = [
    keys.worker(WorkerId(_NAME)),
    keys.worker_sessions(WorkerId(_NAME)),
    keys.free_slots(PoolName(_NAME)),
    keys.orphans(PoolName(_NAME)),
]


class RegistryScripts:
    """Loaded once, called by digest; redis-py loads a script anew when the server has forgotten it."""

    def __init__(self, redis: Redis) -> None:
        prelude = _source("slots")
        self._scripts: dict[str, AsyncScript] = {
            name: redis.register_script(prelude + _source(name))
            for name in ("lease", "renew", "release", "expire", "sync")
        }

    async def call(self, name: str, *arguments: str | int) -> Any:
        return await self._scripts[name](keys=_KEYS, args=[*_TEMPLATES, *arguments])


def chunks(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Cut a list so that no script call blocks Redis for long."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def _source(name: str) -> str:
    return (resources.files("session_router") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
