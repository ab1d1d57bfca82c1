"""A whole Rattil for a benchmark: the launcher's own processes, with their process ids."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from cli.embedded_redis import EmbeddedRedis
from cli.processes import Stack
from cli.stack import Counts, Plan, Ports, running

STEADY = {
    # Equal windows in every run, each of them decoded: the client must know where a segment ends.
    "WS_ADAPTIVE": "false",
    "WS_SILENCE_DBFS": "-120",
    "WS_IDLE_TIMEOUT": "600",
    "WS_MAX_CONNECTIONS": "10000",
    # All clients come from one address, and a crowd of them connects at once.
    "WS_MAX_SESSIONS_PER_ADDRESS": "0",
    "WS_FIRST_AUDIO_TIMEOUT": "600",
    "HTTP_MAX_SILENT_PER_ADDRESS": "65536",
    "ASR_CAPACITY": "fixed",
    "ASR_MAX_SESSIONS": "100000",
    "LOG_LEVEL": "warning",
    "LOG_FORMAT": "json",
}


@dataclass
class System:
    """What runs, and where."""

    plan: Plan
    stack: Stack
    redis_url: str
    pids: dict[str, int]
    log: deque[str] = field(default_factory=lambda: deque(maxlen=200))

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(self.plan.gateway_urls)


@asynccontextmanager
async def system(counts: Counts | None = None, env: Mapping[str, str] | None = None) -> AsyncIterator[System]:
    """Everything started and ready, stopped afterwards; the log is shown when something fails."""
    counts = counts or Counts()
    log: deque[str] = deque(maxlen=200)
    stack = Stack(lambda name, line: log.append(f"{name} {line}"))
    async with AsyncExitStack() as servers:
        redis = [EmbeddedRedis(max_memory_mb=16_384) for _ in range(counts.redis)]
        for server in redis:
            await servers.enter_async_context(server)
        url = ",".join(server.url for server in redis)
        plan = Plan(counts, Ports.all_free(counts), redis_url=url, env=STEADY | dict(env or {}))
        try:
            async with running(plan, stack):
                pids = {child.service.name: child.pid for child in stack.children}
                pids |= {f"redis-{n}": server.pid for n, server in enumerate(redis, 1) if server.pid}
                yield System(plan, stack, url, pids, log)
        except BaseException:
            print("\n".join(list(log)[-30:]))
            raise
