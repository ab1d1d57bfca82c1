"""The HTTP API over a registry in memory: every answer a caller can get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from session_router.app import Router, build_router
from session_router.registry.registry import Census, LeaseRequest, NoSlot, RefreshOutcome
from session_router.settings import RouterSettings
from shared.clock import ManualClock
from shared.errors import BusUnavailable
from shared.ids import PoolName, WorkerId, short_id
from shared.protocol.workers import Lease, WorkerReport, WorkerStatus
from tests.memory.backlog import EmptyBacklog
from tests.memory.registry import MemoryRegistry

HOLDER = "connection-1"


class FailingRegistry(MemoryRegistry):
    """A registry whose Redis can be taken away."""

    away = False

    async def ping(self) -> None:
        self._fail()

    async def census(self) -> Census:
        self._fail()
        return await super().census()

    def _fail(self) -> None:
        if self.away:
            raise BusUnavailable("Redis is away")


class Bench:
    """A router, its registry, its clock, and a client."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.registry = FailingRegistry(self.clock)
        self.router: Router = build_router(
            RouterSettings(drain_s=0, **settings), self.registry, EmptyBacklog(), self.clock
        )
        transport = httpx.ASGITransport(self.router.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    def worker(self, name: str, capacity: int, pool: str = "default", status: WorkerStatus = "ready") -> None:
        self.registry.heartbeat(WorkerReport(WorkerId(name), PoolName(pool), status, capacity))

    async def admit(self, session_id: str, **more: str | bool) -> httpx.Response:
        asked = {"session_id": session_id, "holder": HOLDER, **more}
        return await self.client.post("/v1/sessions", json=asked)

    async def renew(self, *session_ids: str, holder: str = HOLDER) -> httpx.Response:
        pools = {"pool": "default", "requested_pool": "default"}
        leases = [{"session_id": name, "holder": holder, **pools} for name in session_ids]
        return await self.client.post("/v1/leases/renew", json={"leases": leases})

    async def release(self, session_id: str, holder: str = HOLDER, keep_s: float = 0) -> httpx.Response:
        asked = {"session_id": session_id, "holder": holder, "keep_s": keep_s}
        return await self.client.post("/v1/leases/release", json=asked)

    async def pool(self, name: str = "default") -> dict[str, Any]:
        response = await self.client.get("/v1/capacity", params={"pool": name})
        found: dict[str, Any] = response.json()["pools"][0]
        return found


NewBench = Callable[..., Bench]


@pytest.fixture
async def new_bench() -> AsyncIterator[NewBench]:
    benches: list[Bench] = []

    def make(**settings: Any) -> Bench:
        benches.append(Bench(**settings))
        return benches[-1]

    yield make
    for bench in benches:
        await bench.client.aclose()


def _code(response: httpx.Response) -> str:
    error = response.json()["error"]
    assert error["message"]
    code: str = error["code"]
    return code


async def test_a_session_is_admitted_renewed_and_released(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 2)
    response = await bench.admit("session-1")
    assert response.status_code == 200
    lease = {
        "session_id": "session-1",
        "pool": "default",
        "worker_id": "w1",
        "ttl_s": 30.0,
        "degraded": False,
    }
    assert response.json() == lease
    assert (await bench.admit("session-1")).json() == lease
    assert (await bench.renew("session-1")).json() == {"leases": [lease], "restored": [], "taken": []}
    assert (await bench.renew("session-2")).json()["restored"] == ["session-2"]
    assert (await bench.renew("session-1", holder="another")).json()["taken"] == ["session-1"]
    for holder, status in (("another", 404), (HOLDER, 204), (HOLDER, 404)):
        assert (await bench.release("session-1", holder)).status_code == status
    gone = await bench.release("session-1")
    assert (gone.status_code, _code(gone)) == (404, "unknown_session")


async def test_a_lease_of_another_holder_is_a_conflict_unless_its_session_was_taken_over(
    new_bench: NewBench,
) -> None:
    bench = new_bench()
    bench.worker("w1", 1)
    await bench.admit("session-1")
    held = await bench.admit("session-1", holder="another")
    assert (held.status_code, _code(held)) == (409, "lease_held")
    assert (await bench.admit("session-1", holder="another", takes_over=True)).status_code == 200
    assert (await bench.admit("session-1")).status_code == 409


async def test_a_slot_can_be_kept_for_a_client_that_may_come_back(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 1)
    await bench.admit("session-1")
    assert (await bench.release("session-1", keep_s=20)).status_code == 204
    assert (await bench.admit("session-2")).status_code == 503
    assert (await bench.admit("session-1", holder="another")).status_code == 200
    text = (await bench.client.get("/metrics")).text
    assert 'rattil_router_releases_total{how="kept"} 1.0' in text
    for keep_s in (-1, 1e9):
        assert (await bench.release("session-1", "another", keep_s)).status_code == 400


async def test_a_listing_shows_no_whole_session_id(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 2)
    await bench.admit("session-1", tenant="acme")
    listed = await bench.client.get("/v1/sessions")
    assert "session-1" not in listed.text
    assert listed.json()["sessions"] == [
        {
            "session": short_id("session-1"),
            "pool": "default",
            "worker_id": "w1",
            "tenant": "acme",
            "degraded": False,
            "kept": False,
            "expires_in_ms": 30_000,
        }
    ]
    for answer in (
        await bench.admit("session-1", holder="another", tenant="acme"),
        await bench.admit("session-1", tenant="acme", pool="large"),
        await bench.release("session-1", "another"),
    ):
        assert answer.status_code in (404, 409)
        assert "session-1" not in answer.text


async def test_capacity_and_workers_are_shown(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 4)
    bench.worker("w2", 4, status="draining")
    bench.worker("w3", 1, pool="large")
    await bench.admit("session-1")
    assert await bench.pool() == {
        "pool": "default",
        "workers": 1,
        "draining": 1,
        "capacity": 4,
        "active": 1,
        "free": 3,
        "orphans": 0,
        "waiting": 0,
        "utilisation": 0.25,
        "segments_per_s": 0.0,
        "service_rate": 0.0,
        "latency_p95_ms": 0.0,
        "queue_depth": 0,
        "oldest_age_ms": 0,
        "desired_replicas": 1,
        "models": [],
    }
    pools = (await bench.client.get("/v1/capacity")).json()["pools"]
    assert [pool["pool"] for pool in pools] == ["default", "large"]
    unknown = await bench.client.get("/v1/capacity", params={"pool": "huge"})
    assert (unknown.status_code, _code(unknown)) == (404, "unknown_pool")
    workers = (await bench.client.get("/v1/workers")).json()["workers"]
    shown = [(worker["worker_id"], worker["leased"], worker["free"]) for worker in workers]
    assert shown == [("w1", 1, 3), ("w2", 0, 0), ("w3", 0, 1)]
    only = (await bench.client.get("/v1/workers", params={"pool": "large"})).json()["workers"]
    assert [worker["worker_id"] for worker in only] == ["w3"]


async def test_what_workers_measure_is_shown(new_bench: NewBench) -> None:
    bench = new_bench()
    for name, rate, p95_ms in (("w1", 300.0, 40.0), ("w2", 100.0, 90.0)):
        report = WorkerReport(
            WorkerId(name), PoolName("default"), "ready", 10, service_rate=rate, latency_p95_ms=p95_ms
        )
        bench.registry.heartbeat(report)
    await bench.admit("session-1")
    workers = (await bench.client.get("/v1/workers")).json()["workers"]
    assert [(worker["service_rate"], worker["latency_p95_ms"]) for worker in workers] == [
        (300.0, 40.0),
        (100.0, 90.0),
    ]
    pool = await bench.pool()
    assert (pool["service_rate"], pool["latency_p95_ms"]) == (400.0, 90.0)
    text = (await bench.client.get("/metrics")).text
    assert 'rattil_router_pool_utilisation_ratio{pool="default"} 0.05' in text
    assert 'rattil_router_pool_latency_p95_seconds{pool="default"} 0.09' in text


async def test_sessions_are_admitted_by_the_capacity_reported_last(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 2)
    answers = [(await bench.admit(f"session-{number}")).status_code for number in range(3)]
    assert answers == [200, 200, 503]
    bench.worker("w1", 3)
    bench.clock.advance(1.0)
    assert (await bench.admit("session-3")).status_code == 200
    bench.worker("w1", 1)
    bench.clock.advance(1.0)
    assert (await bench.admit("session-4")).status_code == 503
    assert (await bench.admit("session-1")).status_code == 200  # who is in stays in
    assert (await bench.pool())["utilisation"] == 3.0


async def test_refusals_soon_after_another_do_not_look_for_workers_again(
    new_bench: NewBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = new_bench()
    bench.worker("w1", 0)
    asked: list[str] = []
    refresh, lease = bench.registry.refresh, bench.registry.lease

    async def counted_refresh(*, force: bool) -> RefreshOutcome:
        asked.append("refresh")
        return await refresh(force=force)

    async def counted_lease(request: LeaseRequest) -> Lease | NoSlot:
        asked.append("lease")
        bench.clock.advance(0.001)
        return await lease(request)

    monkeypatch.setattr(bench.registry, "refresh", counted_refresh)
    monkeypatch.setattr(bench.registry, "lease", counted_lease)
    for number in range(3):
        assert (await bench.admit(f"session-{number}")).status_code == 503
        bench.clock.advance(0.01)
    assert asked == ["lease", "refresh", "lease", "lease", "lease"]


async def test_sessions_that_ask_together_all_see_a_worker_that_has_just_come(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 10)
    answers = await asyncio.gather(*(bench.admit(f"session-{number:02}") for number in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [503] * 2


async def test_reject_policy(new_bench: NewBench) -> None:
    bench = new_bench(overflow="reject", retry_after_s=2.5)
    bench.worker("w1", 0)
    refused = await bench.admit("session-1")
    assert (refused.status_code, _code(refused)) == (503, "no_capacity")
    assert refused.headers["retry-after"] == "3"
    assert refused.json()["error"]["retry_after_s"] == 2.5


async def test_queue_policy_waits_until_a_slot_is_free(new_bench: NewBench) -> None:
    bench = new_bench(overflow="queue", queue_timeout_s=60)
    bench.worker("w1", 1)
    await bench.admit("session-1")
    waiting = asyncio.create_task(bench.admit("session-2"))
    for _ in range(1000):
        if bench.router.api.room.waiting_for(PoolName("default")):
            break
        await asyncio.sleep(0)
    assert (await bench.pool())["waiting"] == 1
    await bench.release("session-1")
    assert (await waiting).status_code == 200
    assert (await bench.pool())["waiting"] == 0


async def test_queue_policy_ends_in_a_refusal(new_bench: NewBench) -> None:
    bench = new_bench(overflow="queue", queue_timeout_s=0.1)
    bench.worker("w1", 0)
    refused = await bench.admit("session-1")
    assert (refused.status_code, _code(refused)) == (503, "no_capacity")


@pytest.mark.parametrize("overflow", ["reject", "queue"])
async def test_a_pool_without_any_worker_has_a_code_of_its_own(new_bench: NewBench, overflow: str) -> None:
    bench = new_bench(overflow=overflow, queue_timeout_s=0.1)
    refused = await bench.admit("session-1")
    assert (refused.status_code, _code(refused)) == (503, "no_worker")
    assert refused.json()["error"]["retry_after_s"] == 5.0
    bench.worker("w1", 1, status="draining")
    bench.clock.advance(1)
    assert _code(await bench.admit("session-1")) == "no_worker"


@pytest.mark.parametrize(
    "policy",
    [
        {"overflow": "reject"},
        {"overflow": "queue", "queue_timeout_s": 0.1},
        {"overflow": "degrade", "degrade_pools": "default:tiny"},
    ],
    ids=lambda policy: policy["overflow"],
)
async def test_whoever_finds_a_pool_asleep_wakes_it(new_bench: NewBench, policy: dict[str, Any]) -> None:
    bench = new_bench(scale_min_replicas=0, scale_refused_s=60, **policy)
    bench.worker("w1", 2, status="draining")
    bench.worker("w2", 2, pool="tiny")
    assert (await bench.pool())["desired_replicas"] == 0
    refused = await bench.admit("session-1")
    assert refused.status_code == (200 if policy["overflow"] == "degrade" else 503)
    assert (await bench.pool())["desired_replicas"] == 1
    bench.clock.advance(60)
    bench.worker("w1", 2, status="draining")
    assert (await bench.pool())["desired_replicas"] == 0


async def test_a_full_waiting_room_is_429(new_bench: NewBench) -> None:
    bench = new_bench(overflow="queue", queue_timeout_s=60, max_waiting=0)
    refused = await bench.admit("session-1")
    assert (refused.status_code, _code(refused)) == (429, "waiting_room_full")
    assert "retry-after" in refused.headers


async def test_degrade_policy(new_bench: NewBench) -> None:
    bench = new_bench(overflow="degrade", degrade_pools="large:default")
    bench.worker("w1", 1)
    lease = (await bench.admit("session-1", pool="large")).json()
    assert (lease["pool"], lease["degraded"]) == ("default", True)
    refused = await bench.admit("session-2", pool="large")
    assert (refused.status_code, _code(refused)) == (503, "no_capacity")


async def test_another_pool_is_a_conflict(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 1)
    await bench.admit("session-1")
    conflict = await bench.admit("session-1", pool="large")
    assert (conflict.status_code, _code(conflict)) == (409, "lease_conflict")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"session_id": 5}',
        b'{"session_id": "short"}',
        b'{"session_id": "with space 1"}',
        b'{"session_id": "session-1"}',
        b'{"session_id": "session-1", "holder": ""}',
        b'{"session_id": "session-1", "holder": "c", "unknown": 1}',
        b'{"session_id": "session-1", "holder": "c", "pool": ""}',
        b'{"session_id": "session-1", "holder": "c", "pool": "a:b"}',
        b'{"session_id": "session-1", "holder": "c", "tenant": "' + b"x" * 65 + b'"}',
        b'{"session_id": "\xff", "holder": "c"}',
        b'{"session_id": ' + b"[" * 4000,
        b'{"x": ' + b'{"y":' * 800,
        b'{"session_id": "' + b"x" * 5000 + b'"}',
        b"\xff\xfe",
    ],
)
async def test_bad_bodies_are_400(new_bench: NewBench, body: bytes) -> None:
    bench = new_bench()
    for path in ("/v1/sessions", "/v1/leases/renew", "/v1/leases/release"):
        response = await bench.client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert (response.status_code, _code(response)) == (400, "bad_request")


@pytest.mark.parametrize("declared", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
async def test_a_body_that_any_web_page_could_send_is_refused(new_bench: NewBench, declared: str) -> None:
    bench = new_bench()
    bench.worker("w1", 1)
    for path in ("/v1/sessions", "/v1/leases/renew", "/v1/leases/release"):
        body = b'{"session_id": "session-1", "holder": "c"}'
        headers = {"Content-Type": declared} if declared else {}
        response = await bench.client.post(path, content=body, headers=headers)
        assert (response.status_code, _code(response)) == (415, "bad_content_type")
    assert (await bench.client.get("/v1/sessions")).json()["sessions"] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/sessions?limit=0", 400, "bad_request"),
        ("GET", "/v1/sessions?limit=x", 400, "bad_request"),
        ("GET", "/v1/sessions?limit=" + "9" * 5000, 400, "bad_request"),
        ("GET", "/v1/sessions?limit=%D9%A5", 400, "bad_request"),
        ("GET", "/v1/sessions?limit=%ff", 400, "bad_request"),
        ("GET", "/v1/sessions?cursor=-1", 400, "bad_request"),
        ("GET", "/v1/sessions?cursor=99999999999999999999", 400, "bad_request"),
        ("GET", "/v1/capacity?pool=%ff", 400, "bad_request"),
        ("GET", "/v1/capacity?pool=", 400, "bad_request"),
        ("DELETE", "/v1/sessions/session-1", 404, "not_found"),
        ("DELETE", "/v1/sessions", 405, "method_not_allowed"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("PUT", "/v1/workers", 405, "method_not_allowed"),
    ],
)
async def test_bad_requests_are_named(
    new_bench: NewBench, method: str, path: str, status: int, code: str
) -> None:
    response = await new_bench().client.request(method, path)
    assert (response.status_code, _code(response)) == (status, code)


async def test_too_many_renewals_are_refused(new_bench: NewBench) -> None:
    bench = new_bench(max_renewals=2)
    response = await bench.renew("session-1", "session-2", "session-3")
    assert (response.status_code, _code(response)) == (400, "bad_request")
    bad = await bench.renew("short")
    assert (bad.status_code, _code(bad)) == (400, "bad_request")


async def test_health_ready_and_draining(new_bench: NewBench) -> None:
    bench = new_bench()
    assert (await bench.client.get("/health")).json() == {"status": "alive"}
    not_yet = await bench.client.get("/ready")
    assert (not_yet.status_code, _code(not_yet)) == (503, "unavailable")
    await bench.router.api.reaper.tick()
    assert (await bench.client.get("/ready")).status_code == 200
    bench.registry.away = True
    away = await bench.client.get("/ready")
    assert (away.status_code, _code(away)) == (503, "bus_unavailable")
    bench.registry.away = False
    await bench.router.drain()
    for response in (await bench.client.get("/ready"), await bench.admit("session-1")):
        assert (response.status_code, _code(response)) == (503, "unavailable")


async def test_metrics_follow_and_survive_an_outage(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 2)
    await bench.admit("session-1")
    await bench.admit("session-2")
    await bench.admit("session-3")
    text = (await bench.client.get("/metrics")).text
    assert 'rattil_router_admissions_total{outcome="leased"} 2.0' in text
    assert 'rattil_router_admissions_total{outcome="no_capacity"} 1.0' in text
    assert 'rattil_router_pool_active_sessions{pool="default"} 2.0' in text
    assert 'rattil_router_pool_free_sessions{pool="default"} 0.0' in text
    assert 'rattil_router_pool_desired_replicas{pool="default"} 2.0' in text
    bench.registry.away = True
    text = (await bench.client.get("/metrics")).text
    assert 'rattil_router_admissions_total{outcome="leased"} 2.0' in text
    assert 'pool="default"' not in text


async def test_the_reaper_counts_what_it_does(new_bench: NewBench) -> None:
    bench = new_bench()
    bench.worker("w1", 1)
    await bench.admit("session-1")
    bench.clock.advance(7)
    await bench.router.api.reaper.tick()
    for _ in range(6):
        bench.clock.advance(5)
        await bench.router.api.reaper.tick()
    text = (await bench.client.get("/metrics")).text
    assert 'rattil_router_workers_gone_total{how="died"} 1.0' in text
    assert 'rattil_router_leases_reaped_total{how="orphaned"} 1.0' in text
    assert 'rattil_router_leases_reaped_total{how="expired"} 1.0' in text
    assert (await bench.pool())["active"] == 0


async def test_a_bug_is_an_answer_without_a_stack_trace(new_bench: NewBench) -> None:
    bench = new_bench()

    async def broken() -> Census:
        raise ZeroDivisionError("secret")

    bench.registry.census = broken  # type: ignore[method-assign]
    response = await bench.client.get("/v1/workers")
    assert (response.status_code, _code(response)) == (500, "internal")
    assert "secret" not in response.text
