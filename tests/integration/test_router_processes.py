"""Real router processes on a real Redis: shared state, kill -9, drain, and a Redis that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from cli.embedded_redis import EmbeddedRedis
from gateway.admission.router_client import HttpAdmission
from session_router.settings import RouterSettings
from shared.bus import keys
from shared.bus.redis_connections import open_client
from shared.errors import NoCapacity, RouterUnavailable
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import AdmitRequest, HeldLease, Lease, WorkerReport
from shared.service.settings_help import setting_rows

PATIENCE_S = 20.0
HEARTBEAT_TTL_MS = 600_000
HOLDER = "connection-1"
KEY = "the-key-between-our-services"


class RouterProcess:
    """One `python -m session_router` on a free port."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    async def start(cls, redis_url: str, **settings: str) -> RouterProcess:
        ours = {row.env for row in setting_rows(RouterSettings)}
        environment = {name: value for name, value in os.environ.items() if name not in ours}
        environment |= {"REDIS_URL": redis_url, "ROUTER_PORT": "0", "ROUTER_DRAIN_S": "0"}
        environment |= {"ROUTER_REFRESH_INTERVAL_S": "0.05", "LOG_FORMAT": "json", **settings}
        # Its log is read only up to "listening" and at the end: it must fit into the pipe till then.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "session_router", env=environment, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in process.stderr:
                entry = _json(line)
                if entry.get("event") == "listening":
                    return cls(process, int(str(entry["port"])))
        raise AssertionError("the router ended before it listened")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self) -> int:
        """Its exit code; its remaining log is read meanwhile."""
        async with asyncio.timeout(PATIENCE_S):
            await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode

    async def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self.end()


def _held(session: str) -> HeldLease:
    pool = PoolName("default")
    return HeldLease(SessionId(session), HOLDER, pool, pool)


def _json(line: bytes) -> Mapping[str, object]:
    try:
        found: Mapping[str, object] = json.loads(line)
    except ValueError:
        return {}
    return found


@pytest.fixture
async def redis(redis_server: EmbeddedRedis) -> AsyncIterator[Redis]:
    client = open_client(redis_server.url)
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
async def two_routers(redis_server: EmbeddedRedis) -> AsyncIterator[list[RouterProcess]]:
    routers = list(await asyncio.gather(*(RouterProcess.start(redis_server.url) for _ in range(2))))
    yield routers
    for router in routers:
        await router.kill()


async def _heartbeat(redis: Redis, name: str, capacity: int) -> None:
    report = WorkerReport(WorkerId(name), PoolName("default"), "ready", capacity)
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.hset(keys.worker(report.worker_id), "report", msgspec.json.encode(report).decode())
        pipeline.pexpire(keys.worker(report.worker_id), HEARTBEAT_TTL_MS)
        pipeline.zadd(keys.WORKERS, {name: 1})
        await pipeline.execute()


async def _eventually(url: str, holds: Callable[[httpx.Response], bool]) -> httpx.Response:
    """Ask until the answer is as it should be."""
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                response = await client.get(url)
                if holds(response):
                    return response
            await asyncio.sleep(0.02)


def _pool_shows(**wanted: int) -> Callable[[httpx.Response], bool]:
    def holds(response: httpx.Response) -> bool:
        pools = response.json().get("pools", [])
        return bool(pools) and all(pools[0][name] == value for name, value in wanted.items())

    return holds


async def test_two_routers_are_one_and_either_may_die(redis: Redis, two_routers: list[RouterProcess]) -> None:
    first, second = two_routers
    await _heartbeat(redis, "w1", 10)
    admission = HttpAdmission([first.url, second.url])
    try:
        asked = [admission.admit(AdmitRequest(SessionId(f"session-{n:02}"), HOLDER)) for n in range(12)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(answer, NoCapacity) for answer in answers) == 2
        await _eventually(second.url + "/v1/capacity", _pool_shows(active=10, free=0))

        first.send(signal.SIGKILL)
        assert await first.end() == -signal.SIGKILL
        leases = [answer for answer in answers if isinstance(answer, Lease)]
        reply = await admission.renew([_held(lease.session_id) for lease in leases])
        assert (len(reply.leases), reply.restored, reply.taken) == (10, (), ())
        for lease in reply.leases:
            await admission.release(lease.session_id, HOLDER)
        await _eventually(second.url + "/v1/capacity", _pool_shows(active=0, free=10))
    finally:
        await admission.close()
    second.send(signal.SIGTERM)
    assert await second.end() == 0


async def test_a_dead_workers_sessions_move_to_the_living(
    redis: Redis, two_routers: list[RouterProcess]
) -> None:
    await _heartbeat(redis, "w1", 3)
    admission = HttpAdmission([router.url for router in two_routers])
    try:
        leases = [await admission.admit(AdmitRequest(SessionId(f"session-{n}"), HOLDER)) for n in range(3)]
        assert {lease.worker_id for lease in leases} == {"w1"}
        await _heartbeat(redis, "w2", 5)
        await redis.delete(keys.worker(WorkerId("w1")))
        await _eventually(two_routers[0].url + "/v1/capacity", _pool_shows(workers=1, active=3, free=2))
        reply = await admission.renew([_held(lease.session_id) for lease in leases])
        assert {lease.worker_id for lease in reply.leases} == {"w2"}
    finally:
        await admission.close()


async def test_redis_away_and_back_empty(
    redis_server: EmbeddedRedis, two_routers: list[RouterProcess]
) -> None:
    router = two_routers[0]
    await _eventually(router.url + "/ready", lambda response: response.status_code == 200)
    redis_server.kill()
    away = await _eventually(router.url + "/ready", lambda response: response.status_code == 503)
    assert away.json()["error"]["code"] in ("bus_unavailable", "unavailable")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(router.url + "/health")).status_code == 200
        asked = {"session_id": "session-1", "holder": HOLDER}
        refused = await client.post(router.url + "/v1/sessions", json=asked)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "bus_unavailable")

    redis_server.restart(keep_data=False)
    await _eventually(router.url + "/ready", lambda response: response.status_code == 200)
    fresh = open_client(redis_server.url)
    try:
        await _heartbeat(fresh, "w1", 1)
    finally:
        await fresh.aclose(close_connection_pool=True)
    await _eventually(router.url + "/v1/capacity", _pool_shows(workers=1))
    admission = HttpAdmission([router.url])
    try:
        reply = await admission.renew([_held("session-1")])
        assert reply.restored == ("session-1",)
        assert (await admission.admit(AdmitRequest(SessionId("session-1"), HOLDER))).worker_id == "w1"
    finally:
        await admission.close()


async def test_the_backlog_of_a_pool_is_shown(redis: Redis, two_routers: list[RouterProcess]) -> None:
    await _heartbeat(redis, "w1", 1)
    await redis.xadd(keys.segments(PoolName("default")), {"d": b"x" * 80_000}, id="1-0")
    response = await _eventually(two_routers[0].url + "/v1/capacity", _pool_shows(queue_depth=1))
    pool = response.json()["pools"][0]
    assert pool["oldest_age_ms"] > 1_000_000
    assert pool["desired_replicas"] == 2


@pytest.fixture
async def two_queueing_routers(redis_server: EmbeddedRedis) -> AsyncIterator[list[RouterProcess]]:
    queueing = {"ROUTER_OVERFLOW": "queue", "ROUTER_QUEUE_TIMEOUT_S": "60"}
    routers = list(
        await asyncio.gather(*(RouterProcess.start(redis_server.url, **queueing) for _ in range(2)))
    )
    yield routers
    for router in routers:
        await router.kill()


async def test_a_slot_nobody_waits_for_any_more_is_given_back(
    redis: Redis, two_queueing_routers: list[RouterProcess]
) -> None:
    router = two_queueing_routers[0]
    await _heartbeat(redis, "w1", 1)
    patient, hasty = HttpAdmission([router.url]), HttpAdmission([router.url], admit_timeout_s=0.3)
    try:
        await patient.admit(AdmitRequest(SessionId("session-1"), HOLDER))
        with pytest.raises(RouterUnavailable):
            await hasty.admit(AdmitRequest(SessionId("session-2"), HOLDER))
        await patient.release(SessionId("session-1"), HOLDER)
        await _eventually(router.url + "/v1/capacity", _pool_shows(active=0, waiting=0))
    finally:
        await patient.close()
        await hasty.close()


async def test_who_waits_at_a_draining_router_waits_on_at_the_next(
    redis: Redis, two_queueing_routers: list[RouterProcess]
) -> None:
    first, second = two_queueing_routers
    await _heartbeat(redis, "w1", 1)
    holder, waiter = HttpAdmission([second.url]), HttpAdmission([first.url, second.url])
    try:
        await holder.admit(AdmitRequest(SessionId("session-1"), HOLDER))
        waiting = asyncio.create_task(waiter.admit(AdmitRequest(SessionId("session-2"), HOLDER)))
        await _eventually(first.url + "/v1/capacity", _pool_shows(waiting=1))
        first.send(signal.SIGTERM)
        assert await first.end() == 0
        await _eventually(second.url + "/v1/capacity", _pool_shows(waiting=1))
        await holder.release(SessionId("session-1"), HOLDER)
        assert (await waiting).worker_id == "w1"
    finally:
        await holder.close()
        await waiter.close()


async def test_without_redis_it_starts_and_says_not_ready() -> None:
    router = await RouterProcess.start("redis://127.0.0.1:1/0")
    try:
        await _eventually(router.url + "/ready", lambda response: response.status_code == 503)
        await _eventually(router.url + "/metrics", lambda response: "refresh_failures_total" in response.text)
    finally:
        router.send(signal.SIGTERM)
    assert await router.end() == 0


async def test_a_port_in_use_is_exit_code_2(redis_server: EmbeddedRedis) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "session_router",
        env={**os.environ, "REDIS_URL": redis_server.url, "ROUTER_PORT": str(redis_server.port)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == 2
    assert b"cannot_listen" in stderr


@pytest.mark.parametrize("keys", ["", "short", "a-long-and-secret-key,"])
async def test_where_others_reach_it_a_router_without_a_good_key_does_not_start(keys: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "session_router",
        env={**os.environ, "ROUTER_HOST": "0.0.0.0", "ROUTER_PORT": "0", "ROUTER_API_KEYS": keys},
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == 2
    assert b"ROUTER_API_KEYS" in stderr
    assert b"a-long-and-secret-key" not in stderr
    assert b"Traceback" not in stderr


async def test_a_gateway_with_the_key_is_served_and_one_without_is_not(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    await _heartbeat(redis, "w1", 1)
    router = await RouterProcess.start(redis_server.url, ROUTER_HOST="0.0.0.0", ROUTER_API_KEYS=KEY)
    known, unknown = HttpAdmission([router.url], api_key=KEY), HttpAdmission([router.url])
    try:
        with pytest.raises(RouterUnavailable):
            await unknown.admit(AdmitRequest(SessionId("session-1"), HOLDER))
        assert (await known.admit(AdmitRequest(SessionId("session-1"), HOLDER))).worker_id == "w1"
    finally:
        await known.close()
        await unknown.close()
        await router.kill()
