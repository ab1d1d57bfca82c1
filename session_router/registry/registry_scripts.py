"""The registry's Lua scripts, each with the shared prelude and the keys every one of them gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis

from shared.bus import keys
from shared.bus.redis_scripts import LuaScript, ScriptArgument
from shared.ids import PoolName, WorkerId

_KEYS = [
    keys.WORKERS,
    keys.ACTIVE_SESSIONS,
    keys.LEASES,
    keys.KNOWN_WORKERS,
    keys.POOLS,
    keys.EXPIRY,
    keys.FORMER_HOLDERS,
]
_NAME = "<id>"
_T = TypeVar("_T")
_TEMPLATES = [
    keys.worker(WorkerId(_NAME)),
    keys.worker_sessions(WorkerId(_NAME)),
    keys.free_slots(PoolName(_NAME)),
    keys.orphans(PoolName(_NAME)),
]
_SCRIPTS = {
    name: LuaScript(name, "session_router.registry.lua", prelude="slots")
    for name in ("lease", "renew", "release", "expire", "sync")
}


class RegistryScripts:
    """The scripts on one Redis. Redis errors come out unchanged."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def call(self, name: str, *arguments: ScriptArgument) -> Any:
        return await _SCRIPTS[name].run(self._redis, _KEYS, [*_TEMPLATES, *arguments])


def chunks(items: Sequence[_T], size: int) -> list[Sequence[_T]]:
    """Cut a list so that no script call blocks Redis for long."""
    return [items[start : start + size] for start in range(0, len(items), size)]
