"""Lua scripts of every room, run by hash; a server that does not know one is told it once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from shared.bus.redis_connections import command, execute, queue_command

ScriptArgument = str | bytes | int | float
Call = tuple[Sequence[str], Sequence[ScriptArgument]]
"""Keys and arguments of one run."""


class LuaScript:
    """One script file. `package` is where it lies, so that other rooms can keep scripts of their own.

    `prelude` names another file there, with what several scripts share; it is put in front.
    """

    def __init__(self, name: str, package: str = "shared.bus.lua", prelude: str = "") -> None:
        self.name = name
        files = resources.files(package)
        parts = [f"{part}.lua" for part in (prelude, name) if part]
        self.source = b"".join(files.joinpath(part).read_bytes() for part in parts)
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()

    async def run(self, client: Redis, keys: Sequence[str], args: Sequence[ScriptArgument] = ()) -> Any:
        """Run once. Redis errors come out unchanged."""
        try:
            return await command(client, "EVALSHA", self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await command(client, "EVAL", self.source, len(keys), *keys, *args)

    async def run_many(self, client: Redis, calls: Sequence[Call]) -> list[Any]:
        """Run each call in one round trip; a call's failure is its entry in the list.

        The calls are independent (no transaction). Connection errors are raised.
        """
        replies = await self._pipeline(client, calls)
        unknown = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            await command(client, "SCRIPT LOAD", self.source)
            for at, reply in zip(
                unknown, await self._pipeline(client, [calls[at] for at in unknown]), strict=True
            ):
                replies[at] = reply
        return replies

    async def _pipeline(self, client: Redis, calls: Sequence[Call]) -> list[Any]:
        async with client.pipeline(transaction=False) as pipe:
            for keys, args in calls:
                queue_command(pipe, "EVALSHA", self.sha, len(keys), *keys, *args)
            replies: list[Any] = await execute(pipe, raise_on_error=False)
            return replies


BACKLOG = LuaScript("backlog")
"""Length of a segment stream and the age (ms) of its oldest entry: what workers report and routers read."""
