"""The all-in-one launch: which processes make up a whole Rattil, in which order, on which ports."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from cli.embedded_redis import MAX_MEMORY_MB, EmbeddedRedis
from cli.ports import free_port, is_free
from cli.processes import Service, Stack, require_free
from cli.sample_files import samples_folder
from shared.pools import PoolModel

LOOPBACK = "127.0.0.1"
USUAL_ROUTER_PORT = 8100
ANY_ROUTER_PORT = -1
"""The usual ports, or any free ones where those are taken: two launches live side by side."""

MODEL_LOAD_S = 180.0
"""How long a worker may take to load (and for a named model to fetch) before it is called not ready."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each; `workers` in each of `pools` pools."""

    gateways: int = 1
    workers: int = 1
    routers: int = 1
    redis: int = 1
    pools: int = 1

    @property
    def all_workers(self) -> int:
        return self.workers * self.pools


@dataclass(frozen=True, slots=True)
class Ports:
    """Where services listen; gateways and routers beyond the first take the next ports."""

    gateways: Sequence[int]
    routers: Sequence[int]
    workers: Sequence[int]

    @classmethod
    def all_free(cls, counts: Counts) -> Ports:
        """Any free ports: for tests and the demo, which run beside anything."""
        return cls(
            [free_port() for _ in range(counts.gateways)],
            [free_port() for _ in range(counts.routers)],
            [free_port() for _ in range(counts.all_workers)],
        )

    @classmethod
    def fixed(cls, counts: Counts, host: str, gateway_port: int, router_port: int) -> Ports:
        """Known ports for what people open (0: any), any free one for the rest. Raises `PortInUse`."""
        gateways = [gateway_port + i for i in range(counts.gateways)] if gateway_port else []
        routers = [router_port + i for i in range(counts.routers)] if router_port > 0 else []
        for port in gateways:
            require_free(host, port, "--port or PORT")
        if router_port == ANY_ROUTER_PORT:
            usual = [USUAL_ROUTER_PORT + i for i in range(counts.routers)]
            routers = usual if all(is_free(LOOPBACK, port) for port in usual) else []
        for port in routers:
            require_free(LOOPBACK, port, "--router-port or ROUTER_PORT")
        free = cls.all_free(counts)
        return cls(gateways or free.gateways, routers or free.routers, free.workers)


@dataclass(frozen=True, slots=True)
class Plan:
    """One launch. `redis_url` empty: embedded servers. `env` goes to every service, on top of ours.
    `pools`: groups of workers, each with a model of its own; none: one group, as the environment has it."""

    counts: Counts
    ports: Ports
    host: str = LOOPBACK
    redis_url: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    redis_max_mb: int = MAX_MEMORY_MB
    pools: Sequence[PoolModel] = ()

    @property
    def gateway_urls(self) -> list[str]:
        """Addresses to open; an address that means "all" is shown as this machine."""
        shown = LOOPBACK if self.host in ("0.0.0.0", "::", "") else self.host
        return [f"http://{shown}:{port}" for port in self.ports.gateways]


def groups(plan: Plan, redis_url: str) -> list[tuple[str, list[Service]]]:
    """What to start, in order: each group needs the ones before it."""
    shared = {"REDIS_URL": redis_url, "PYTHONUNBUFFERED": "1", **plan.env}
    if plan.pools:
        shared["POOLS"] = ",".join(f"{one.pool}={one.model}" for one in plan.pools)
    routers = ",".join(f"http://{LOOPBACK}:{port}" for port in plan.ports.routers)
    with_router = {**shared, "ROUTER_URL": routers}
    ports = plan.ports
    return [
        ("router", [_router(number, port, shared) for number, port in enumerate(ports.routers, 1)]),
        ("worker", _workers(plan, shared)),
        (
            "gateway",
            [_gateway(number, port, plan, with_router) for number, port in enumerate(ports.gateways, 1)],
        ),
    ]


@asynccontextmanager
async def running(
    plan: Plan, stack: Stack, progress: Callable[[str, str], None] = lambda what, where: None
) -> AsyncIterator[None]:
    """Run the plan in `stack`, ready to serve; stopped in reverse order on the way out, also on errors.

    `progress` is called with (what, where) as each part becomes ready. Raises `ChildDied`, `NotReady`,
    `RedisDidNotStart`.
    """
    async with AsyncExitStack() as redis_servers:
        urls = [plan.redis_url] if plan.redis_url else []
        if not urls:
            for _ in range(plan.counts.redis):
                server = EmbeddedRedis(max_memory_mb=plan.redis_max_mb)
                await redis_servers.enter_async_context(server)
                urls.append(server.url)
        redis_url = ",".join(urls)
        progress("redis", redis_url)
        try:
            for kind, services in groups(plan, redis_url):
                await stack.start_next(services)
                progress(kind, ", ".join(service.ready_url.removesuffix("/ready") for service in services))
            stack.complete = True
            yield
        finally:
            await stack.stop()


def _router(number: int, port: int, shared: Mapping[str, str]) -> Service:
    return Service(
        name=f"router-{number}",
        argv=_module("session_router"),
        env={**shared, "ROUTER_HOST": LOOPBACK, "ROUTER_PORT": str(port)},
        ready_url=f"http://{LOOPBACK}:{port}/ready",
    )


def _workers(plan: Plan, shared: Mapping[str, str]) -> list[Service]:
    """`worker-1`, `worker-2` of the only pool, or `worker-fast-1`, `worker-accurate-1` of several."""
    ports = plan.ports.workers
    if not plan.pools:
        return [_worker(f"worker-{number}", port, plan, shared) for number, port in enumerate(ports, 1)]
    size = plan.counts.workers
    return [
        _worker(
            f"worker-{one.pool}-{number + 1}",
            ports[place * size + number],
            plan,
            {**shared, "ASR_POOL": one.pool, "ASR_MODEL": one.model},
        )
        for place, one in enumerate(plan.pools)
        for number in range(size)
    ]


def _worker(name: str, port: int, plan: Plan, shared: Mapping[str, str]) -> Service:
    env = {**shared, "WORKER_HTTP_HOST": LOOPBACK, "WORKER_HTTP_PORT": str(port)}
    if plan.counts.all_workers > 1 and "ASR_THREADS" not in os.environ | shared:
        # Two engines that each take all cores are slower than two that share them.
        env["ASR_THREADS"] = str(max(1, (os.cpu_count() or 1) // plan.counts.all_workers))
    return Service(
        name=name,
        argv=_module("asr_worker"),
        env=env,
        ready_url=f"http://{LOOPBACK}:{port}/ready",
        ready_within_s=MODEL_LOAD_S,
        drain_s=30.0,
    )


_PORTS_OF_ONE = {"STREAM_PORT": "0", "STREAM_WS_PORT": "0", "WHISPERLIVE_PORT": "0"}


def _gateway(number: int, port: int, plan: Plan, shared: Mapping[str, str]) -> Service:
    host = plan.host
    probe = LOOPBACK if host in ("0.0.0.0", "::", "") else host
    env = {
        "DEMO_SAMPLES": str(samples_folder()),
        # One port is one gateway's: the others take any free one, or have none.
        **(_PORTS_OF_ONE if number > 1 else {}),
        **shared,
        "HOST": host,
        "PORT": str(port),
    }
    if plan.counts.gateways == 1 and "DRAIN_SECONDS" not in os.environ | shared:
        env["DRAIN_SECONDS"] = "0"  # there is no other gateway to move to
    return Service(
        name=f"gateway-{number}",
        argv=_module("gateway"),
        env=env,
        ready_url=f"http://{probe}:{port}/ready",
        drain_s=30.0,
    )


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]
