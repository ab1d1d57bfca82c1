"""A whole Rattil on this machine for a test: real processes, real Redis shards, killable by name."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from cli.embedded_redis import EmbeddedRedis
from cli.processes import Child, Stack
from cli.stack import Counts, Plan, Ports, running
from shared.pools import PoolModel
from tests.e2e.redis_proxy import RedisProxy

STEADY_WINDOWS = {
    # The same windows in every run: only then may transcripts be compared word for word.
    "WS_ADAPTIVE": "false",
    "LOG_LEVEL": "warning",
    "LOG_FORMAT": "json",
    "ASR_THREADS": "1",
}
QUICK_RECOVERY = {"ASR_RECLAIM_MS": "4000"}


@dataclass
class System:
    """Handles on what runs."""

    plan: Plan
    stack: Stack
    redis: list[EmbeddedRedis]
    proxies: list[RedisProxy] = field(default_factory=list)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=400))

    @property
    def ws_urls(self) -> list[str]:
        return [url.replace("http://", "ws://") for url in self.plan.gateway_urls]

    def child(self, name: str) -> Child:
        return next(child for child in self.stack.children if child.service.name == name)

    async def kill(self, name: str) -> None:
        """kill -9, and wait until the process is gone."""
        child = self.child(name)
        child.kill()
        await child.died()

    async def terminate(self, name: str) -> int:
        """SIGTERM, and wait for the end of the drain; returns the exit status."""
        return await self.child(name).stop()

    def crashed(self) -> list[str]:
        """Services that ended although nobody made them."""
        return [child.service.name for child in self.stack.children if not _is_alive(child.pid)]

    def freeze(self, name: str) -> None:
        """SIGSTOP: alive, but it does nothing until `thaw`."""
        os.kill(self.child(name).pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        os.kill(self.child(name).pid, signal.SIGCONT)

    async def bring_back(self, name: str) -> None:
        """Start a killed service again on its old port, as an orchestrator would."""
        dead = self.child(name)
        self.stack.children.remove(dead)
        await self.stack.start([dead.service])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@asynccontextmanager
async def system(
    *,
    gateways: int = 1,
    workers: int = 1,
    routers: int = 1,
    shards: int = 1,
    env: Mapping[str, str] | None = None,
    proxied: bool = False,
    log_lines: int = 400,
    pools: Sequence[PoolModel] = (),
) -> AsyncIterator[System]:
    """Everything started and ready; everything stopped afterwards, with the log shown on failure.

    `proxied`: services reach Redis through proxies that can be cut. `log_lines`: how many are kept.
    """
    log: deque[str] = deque(maxlen=log_lines)
    stack = Stack(lambda name, line: log.append(f"{name} {line}"))
    counts = Counts(gateways, workers, routers, shards, len(pools) or 1)
    async with AsyncExitStack() as redis_servers:
        redis = [await redis_servers.enter_async_context(EmbeddedRedis()) for _ in range(shards)]
        proxies = [
            await redis_servers.enter_async_context(RedisProxy(server.port)) for server in redis if proxied
        ]
        reached: Sequence[RedisProxy | EmbeddedRedis] = proxies or redis
        plan = Plan(
            counts=counts,
            ports=Ports.all_free(counts),
            redis_url=",".join(server.url for server in reached),
            env=STEADY_WINDOWS | QUICK_RECOVERY | dict(env or {}),
            pools=pools,
        )
        try:
            async with running(plan, stack):
                yield System(plan, stack, redis, proxies, log)
        except BaseException:
            print("\n".join(log))
            raise
