"""The gateway's client against the real router application: the two must understand each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.admission.circuit import Circuit, CircuitPolicy, CircuitState
from gateway.admission.router_client import ADMIT_CONNECTIONS, Admission, HttpAdmission, OpenAdmission
from session_router.app import Router, build_router
from session_router.settings import RouterSettings
from shared.clock import ManualClock
from shared.errors import BadRequest, LeaseHeld, NoCapacity, NoWorker, RouterUnavailable
from shared.ids import PoolName, SessionId, WorkerId
from shared.protocol.workers import AdmitRequest, HeldLease, Lease, RenewReply, WorkerReport
from tests.memory.backlog import EmptyBacklog
from tests.memory.registry import MemoryRegistry

HOLDER = "connection-1"
ONE = SessionId("session-1")
TWO = SessionId("session-2")


def _held(session_id: SessionId, holder: str = HOLDER) -> HeldLease:
    pool = PoolName("default")
    return HeldLease(session_id, holder, pool, pool)


class Routers(httpx.AsyncBaseTransport):
    """Two routers, `a` and `b`, on one registry; each can be made to fail in its own way."""

    def __init__(self) -> None:
        clock = ManualClock()
        self.registry = MemoryRegistry(clock)
        self.routers: dict[str, Router] = {}
        self.asked: list[str] = []
        self.broken: dict[str, httpx.Response | Exception] = {}
        for name in ("a", "b"):
            settings = RouterSettings(drain_s=0, retry_after_s=3, allowed_hosts="a,b")
            self.routers[name] = build_router(settings, self.registry, EmptyBacklog(), clock)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        self.asked.append(name)
        trouble = self.broken.get(name)
        if isinstance(trouble, Exception):
            raise trouble
        if trouble is not None:
            return trouble
        return await httpx.ASGITransport(self.routers[name].app).handle_async_request(request)


@pytest.fixture
def routers() -> Routers:
    found = Routers()
    found.registry.heartbeat(
        WorkerReport(WorkerId("w1"), PoolName("default"), "ready", 1, models=("rattil-tiny@0.5.0",))
    )
    return found


@pytest.fixture
async def admission(routers: Routers) -> AsyncIterator[HttpAdmission]:
    client = HttpAdmission(["http://a", "http://b/"], transport=routers)
    yield client
    await client.close()


async def test_admit_renew_release(admission: HttpAdmission, routers: Routers) -> None:
    lease = await admission.admit(AdmitRequest(ONE, HOLDER))
    assert lease == Lease(ONE, PoolName("default"), WorkerId("w1"), 30.0)
    assert (await admission.renew([_held(ONE)])).leases == (lease,)
    assert (await admission.renew([_held(TWO)])).restored == (TWO,)
    await admission.release(ONE, HOLDER)
    await admission.release(ONE, HOLDER)
    assert (await admission.renew([_held(ONE)])).taken == (ONE,)
    assert (await admission.renew([])) == RenewReply()
    assert set(routers.asked) == {"a"}


async def test_admissions_that_wait_keep_no_renewal_waiting(routers: Routers) -> None:
    """A full service: more newcomers wait in the router than this gateway has connections for them."""
    slot_free, line_full, waiting = asyncio.Event(), asyncio.Event(), 0

    class Full(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal waiting
            if request.url.path == "/v1/sessions":
                waiting += 1
                if waiting == ADMIT_CONNECTIONS:
                    line_full.set()
                await slot_free.wait()
                waiting -= 1
            return await routers.handle_async_request(request)

    admission = HttpAdmission(["http://a"], transport=Full())
    await admission.renew([_held(ONE)])
    newcomers = [
        asyncio.create_task(admission.admit(AdmitRequest(SessionId(f"newcomer-{number}"), HOLDER)))
        for number in range(ADMIT_CONNECTIONS + 20)
    ]
    await line_full.wait()
    assert len((await admission.renew([_held(ONE)])).leases) == 1
    assert waiting == ADMIT_CONNECTIONS
    slot_free.set()
    answers = await asyncio.gather(*newcomers, return_exceptions=True)
    assert {type(answer) for answer in answers} == {NoCapacity}
    await admission.close()


async def test_an_old_holder_cannot_give_the_slot_away(admission: HttpAdmission) -> None:
    await admission.admit(AdmitRequest(ONE, "old"))
    await admission.admit(AdmitRequest(ONE, "new", takes_over=True))
    with pytest.raises(LeaseHeld):
        await admission.admit(AdmitRequest(ONE, "old"))
    await admission.release(ONE, "old")
    assert (await admission.renew([_held(ONE, "old")])).taken == (ONE,)
    assert (await admission.renew([_held(ONE, "new")])).restored == ()
    await admission.release(ONE, "new", keep_s=20)
    with pytest.raises(NoCapacity):
        await admission.admit(AdmitRequest(TWO, "another"))
    assert (await admission.admit(AdmitRequest(ONE, "newest"))).session_id == ONE


async def test_no_capacity_is_an_answer_not_a_failure(admission: HttpAdmission, routers: Routers) -> None:
    await admission.admit(AdmitRequest(ONE, HOLDER))
    with pytest.raises(NoCapacity) as refused:
        await admission.admit(AdmitRequest(TWO, HOLDER))
    assert refused.value.retry_after_s == 3
    assert set(routers.asked) == {"a"}


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500, text="oops"),
        httpx.Response(502, text="<html>"),
    ],
)
async def test_the_next_router_is_asked_and_remembered(
    admission: HttpAdmission, routers: Routers, trouble: httpx.Response | Exception
) -> None:
    routers.broken["a"] = trouble
    assert (await admission.admit(AdmitRequest(ONE, HOLDER))).session_id == ONE
    await admission.renew([_held(ONE)])
    assert routers.asked == ["a", "b", "b"]


async def test_a_draining_router_hands_over(admission: HttpAdmission, routers: Routers) -> None:
    await routers.routers["a"].drain()
    assert (await admission.admit(AdmitRequest(ONE, HOLDER))).session_id == ONE
    assert routers.asked == ["a", "b"]


async def test_no_router_at_all(admission: HttpAdmission, routers: Routers) -> None:
    routers.broken = {"a": httpx.ConnectError("refused"), "b": httpx.Response(503)}
    with capture_logs() as logged, pytest.raises(RouterUnavailable) as raised:
        await admission.admit(AdmitRequest(ONE, HOLDER))
    # Clients are told of it, but not where our routers are.
    assert raised.value.message == "no session router answers; try again shortly"
    assert logged[0]["failures"] == ["http://a: ConnectError refused", "http://b: HTTP 503"]


async def test_user_and_password_of_an_address_are_told_nobody(routers: Routers) -> None:
    routers.broken["a"] = httpx.ConnectError("refused")
    admission = HttpAdmission(["http://me:secret@a"], transport=routers)
    with capture_logs() as logged, pytest.raises(RouterUnavailable):
        await admission.admit(AdmitRequest(ONE, HOLDER))
    await admission.close()
    assert logged[0]["failures"] == ["http://a: ConnectError refused"]
    with pytest.raises(ValueError, match="ROUTER_URL") as refused:
        HttpAdmission(["ftp://me:secret@a"])
    assert "secret" not in str(refused.value)


async def test_no_worker_is_told_from_no_capacity(admission: HttpAdmission) -> None:
    with pytest.raises(NoWorker):
        await admission.admit(AdmitRequest(ONE, HOLDER, PoolName("huge")))


async def test_a_router_that_does_not_take_our_key_is_as_good_as_away(routers: Routers) -> None:
    for name in routers.routers:
        settings = RouterSettings(drain_s=0, host="0.0.0.0", api_keys=f"the-key-of-router-{name}")
        routers.routers[name] = build_router(settings, routers.registry, EmptyBacklog(), ManualClock())
    known = HttpAdmission(["http://a", "http://b"], transport=routers, api_key="the-key-of-router-b")
    assert (await known.admit(AdmitRequest(ONE, HOLDER))).session_id == ONE
    await known.close()
    assert routers.asked == ["a", "b"]
    unknown = HttpAdmission(["http://a", "http://b"], transport=routers, api_key="another-key-altogether")
    with capture_logs() as logged, pytest.raises(RouterUnavailable):
        await unknown.admit(AdmitRequest(TWO, HOLDER))
    await unknown.close()
    assert "this key is not known" in str(logged)
    assert "another-key-altogether" not in str(logged)


async def test_a_router_that_goes_by_another_name_is_as_good_as_away(routers: Routers) -> None:
    settings = RouterSettings(drain_s=0, allowed_hosts="router.internal")
    routers.routers["a"] = build_router(settings, routers.registry, EmptyBacklog(), ManualClock())
    admission = HttpAdmission(["http://a", "http://b"], transport=routers)
    assert (await admission.admit(AdmitRequest(ONE, HOLDER))).session_id == ONE
    await admission.close()
    assert routers.asked == ["a", "b"]


async def test_an_answer_that_is_not_a_routers(admission: HttpAdmission, routers: Routers) -> None:
    routers.broken["a"] = httpx.Response(200, text="hello")
    with pytest.raises(RouterUnavailable, match="cannot be read"):
        await admission.admit(AdmitRequest(ONE, HOLDER))


@pytest.mark.parametrize("status", [302, 400, 401, 403, 413, 429, 500, 502])
@pytest.mark.parametrize("content", [b"", b"<html>no</html>", b"null", b'{"error":"no"}', b'{"detail":"no"}'])
async def test_an_error_that_no_router_wrote_is_nobodys_fault(
    admission: HttpAdmission, routers: Routers, status: int, content: bytes
) -> None:
    """Of a proxy on the way: the next router is asked, and the client is told to come back."""
    routers.broken["a"] = httpx.Response(status, content=content)
    assert (await admission.admit(AdmitRequest(ONE, HOLDER, PoolName("default"), "t"))).pool == "default"
    assert routers.asked == ["a", "b"]
    routers.broken["b"] = httpx.Response(status, content=content)
    with pytest.raises(RouterUnavailable, match="no session router answers"):
        await admission.renew([_held(ONE)])


async def test_a_refused_request_is_the_callers_fault(admission: HttpAdmission) -> None:
    with pytest.raises(BadRequest, match="session id"):
        await admission.admit(AdmitRequest(SessionId("short"), HOLDER))


async def test_workers_ready(admission: HttpAdmission) -> None:
    await admission.admit(AdmitRequest(ONE, HOLDER))
    assert await admission.workers_ready() == 1


async def test_pools_with_their_load_and_models(admission: HttpAdmission) -> None:
    await admission.admit(AdmitRequest(ONE, HOLDER))
    (pool,) = await admission.pools()
    assert (pool.pool, pool.workers, pool.utilisation) == ("default", 1, 1.0)
    assert pool.models == ("rattil-tiny@0.5.0",)


@pytest.mark.parametrize("urls", [[], ["router:8100"]])
def test_router_urls_are_checked(urls: list[str]) -> None:
    with pytest.raises(ValueError, match="ROUTER_URL"):
        HttpAdmission(urls)


async def test_open_admission_lets_everybody_in() -> None:
    admission: Admission = OpenAdmission()
    lease = await admission.admit(AdmitRequest(ONE, HOLDER, PoolName("large")))
    assert (lease.session_id, lease.pool, lease.degraded) == (ONE, "large", False)
    assert len((await admission.renew([_held(ONE)])).leases) == 1
    await admission.release(ONE, HOLDER)
    assert await admission.workers_ready() == 1
    assert await admission.pools() == ()
    await admission.close()


async def test_routers_that_are_away_are_not_asked_by_every_newcomer() -> None:
    routers, clock = Routers(), ManualClock()
    routers.registry.heartbeat(WorkerReport(WorkerId("w1"), PoolName("default"), "ready", 1))
    circuit = Circuit(CircuitPolicy(failures=3), clock)
    admission = HttpAdmission(["http://a", "http://b"], circuit=circuit, transport=routers)
    routers.broken = {name: httpx.ConnectError("away") for name in ("a", "b")}
    for _ in range(3):
        with pytest.raises(RouterUnavailable):
            await admission.admit(AdmitRequest(ONE, HOLDER))
    asked = len(routers.asked)
    with pytest.raises(RouterUnavailable) as refused:
        await admission.admit(AdmitRequest(ONE, HOLDER))
    assert len(routers.asked) == asked
    assert refused.value.retry_after_s is not None
    with pytest.raises(RouterUnavailable):
        await admission.renew([_held(TWO)])  # a session that lives asks all the same
    assert len(routers.asked) == asked + 2
    routers.broken = {}
    assert await admission.workers_ready() == 1  # as the turn of renewals does, every few seconds
    assert (await admission.admit(AdmitRequest(ONE, HOLDER))).pool == "default"
    await admission.close()


async def test_a_refusal_is_an_answer() -> None:
    routers = Routers()
    circuit = Circuit(CircuitPolicy(failures=1), ManualClock())
    admission = HttpAdmission(["http://a", "http://b"], circuit=circuit, transport=routers)
    for _ in range(3):
        with pytest.raises(NoWorker):
            await admission.admit(AdmitRequest(ONE, HOLDER))
    assert circuit.state is CircuitState.CLOSED
    await admission.close()
