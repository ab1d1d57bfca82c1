"""Who has the slot: real gateways and a real router, its registry in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from gateway.admission.router_client import HttpAdmission
from session_router.app import build_router
from session_router.settings import RouterSettings
from shared.bus.redis_memory import StorageFull
from shared.clock import ManualClock
from shared.ids import PoolName, WorkerId
from shared.protocol.close_codes import NO_CAPACITY, SUPERSEDED
from shared.protocol.workers import WorkerReport, WorkerStatus
from tests.memory.backlog import EmptyBacklog
from tests.memory.registry import MemoryRegistry
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, World, eventually, world

PCM = speech.recite(range(16))
SOME = PCM[:100_000]
NAME = "a-session-of-ours"


class Routers(httpx.AsyncBaseTransport):
    """The way to a router, which can be cut."""

    def __init__(self, slots: int) -> None:
        self.clock = ManualClock()
        self.registry = MemoryRegistry(self.clock, heartbeat_ttl_s=1_000_000)
        self.cut = False
        self._app = build_router(RouterSettings(drain_s=0), self.registry, EmptyBacklog(), self.clock).app
        self.worker(slots)

    def worker(self, slots: int, status: WorkerStatus = "ready") -> None:
        self.registry.heartbeat(WorkerReport(WorkerId("w1"), PoolName("default"), status, slots))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("refused")
        return await httpx.ASGITransport(self._app).handle_async_request(request)

    async def slots(self) -> list[tuple[str, bool]]:
        """Every lease: its session, and whether it is only kept."""
        page = await self.registry.leases("", 100)
        return [(lease.session_id, lease.parked) for lease in page.sessions]


class Scene:
    """A world with a router."""

    def __init__(self, w: World, routers: Routers) -> None:
        self.world = w
        self.routers = routers

    def gateway(self, **settings: Any) -> Gateway:
        admission = HttpAdmission(["http://127.0.0.1"], transport=self.routers)
        return self.world.gateway(admission, **{"refusal_memory_s": 0} | settings)


@asynccontextmanager
async def scene(slots: int) -> AsyncIterator[Scene]:
    async with world() as w:
        yield Scene(w, Routers(slots))


async def lives(client: Client) -> bool:
    """Whether the server still listens to this client; raises `Closed` if not."""
    await client.send("ping")
    return bool(await client.until("pong"))


async def begin(gateway: Gateway, **query: Any) -> Client:
    """A session that has something to come back to."""
    client = gateway.connect(**query)
    await client.until("ready")
    await client.stream(SOME)
    await client.until("ack")
    return client


async def test_a_refused_resume_does_not_touch_the_slot_of_the_living_one() -> None:
    async with scene(slots=1) as s:
        gateway = s.gateway()
        living = await begin(gateway, session_id=NAME, surah=112, ayah=1, to=4)
        queries: list[dict[str, Any]] = [{"surah": 1}, {"surah": 1, "last_seq": -1}, {"last_seq": 10**12}]
        for query in queries:
            asked: dict[str, Any] = {"session_id": NAME, "surah": 112, "ayah": 1, "to": 4} | query
            intruder = gateway.connect(**asked)
            assert (await intruder.rest()).code == 1008
        await gateway.ports.leases.renew()
        assert await s.routers.slots() == [(NAME, False)]
        assert (await gateway.connect().rest()).code == NO_CAPACITY.code
        assert await lives(living)


async def test_another_tenant_does_not_touch_it_either_and_learns_nothing() -> None:
    async with scene(slots=1) as s:
        gateway = s.gateway(api_keys="acme=key-of-acme,beta=key-of-beta")

        def connect(key: str, **query: object) -> Client:
            return gateway.connect([("authorization", f"Bearer {key}")], session_id=NAME, **query)

        living = connect("key-of-acme", surah=112, ayah=1, to=4)
        await living.until("ready")
        await living.stream(SOME)
        await living.until("ack")
        intruder = connect("key-of-beta", surah=112, ayah=1, to=4, last_seq=-1, offset=0)
        closed = await intruder.rest()
        (error,) = intruder.of("error")
        assert (closed.code, error["code"]) == (1008, "passage_mismatch")
        assert "112" not in error["message"]
        await living.leave()
        assert await s.routers.slots() == [(NAME, True)]
        assert (await connect("key-of-beta", surah=1).rest()).code == 1008
        assert await s.routers.slots() == [(NAME, True)]
        back = connect("key-of-acme", surah=112, ayah=1, to=4, last_seq=-1, offset=0)
        assert (await back.until("ready"))["resumed"] is True


async def test_a_claim_that_no_session_can_meet_is_refused_and_the_session_kept() -> None:
    async with scene(slots=1) as s:
        gateway = s.gateway()
        first = await begin(gateway, session_id=NAME)
        await first.leave()
        claims: list[dict[str, Any]] = [{"last_seq": 10**12}, {"last_seq": -1, "offset": 10**12}]
        for claim in claims:
            refused = gateway.connect(session_id=NAME, **claim)
            closed = await refused.rest()
            assert (closed.code, refused.events[-1]["code"]) == (1008, "bad_request")
        back = gateway.connect(session_id=NAME, last_seq=-1, offset=0)
        ready = await back.until("ready")
        assert (ready["resumed"], ready["offset"] > 0) == (True, True)


async def test_a_reciter_who_reconnects_finds_the_slot_in_a_full_pool() -> None:
    async with scene(slots=1) as s:
        gateway, other = s.gateway(), s.gateway()
        first = await begin(gateway, session_id=NAME)
        await first.leave()
        assert await s.routers.slots() == [(NAME, True)]
        assert (await gateway.connect().rest()).code == NO_CAPACITY.code
        back = other.connect(session_id=NAME, last_seq=-1, offset=0)
        assert (await back.until("ready"))["resumed"] is True
        assert await s.routers.slots() == [(NAME, False)]
        await back.send("end")
        assert (await back.rest()).code == 1000
        await eventually(lambda: other.ports.leases.count == 0)
        await gateway.connect().until("ready")


async def test_a_client_that_leaves_with_its_report_leaves_its_slot_at_once() -> None:
    async with scene(slots=1) as s:
        gateway = s.gateway()
        client = await begin(gateway, session_id=NAME)
        await client.send("end")
        await client.until("final_result")
        await client.leave()
        assert await s.routers.slots() == []


async def test_a_connection_without_any_audio_leaves_its_slot_at_once() -> None:
    async with scene(slots=1) as s:
        gateway = s.gateway()
        first = gateway.connect(session_id=NAME)
        await first.until("ready")
        await first.leave()
        assert await s.routers.slots() == []


async def test_a_slot_that_nobody_comes_back_for_is_free_after_the_grace() -> None:
    async with scene(slots=1) as s:
        gateway = s.gateway(lease_grace_s=9)
        first = await begin(gateway, session_id=NAME)
        await s.routers.registry.refresh(force=True)
        await first.leave()
        s.routers.clock.advance(8)
        await s.routers.registry.refresh(force=True)
        assert await s.routers.slots() == [(NAME, True)]
        s.routers.clock.advance(2)
        await s.routers.registry.refresh(force=True)
        assert await s.routers.slots() == []


async def test_the_slot_goes_with_the_session_from_gateway_to_gateway() -> None:
    async with scene(slots=1) as s:
        one, two = s.gateway(), s.gateway()
        first = await begin(one, session_id=NAME)
        second = two.connect(session_id=NAME, last_seq=-1, offset=0)
        await second.until("ready")
        assert (await first.rest()).code == SUPERSEDED.code
        await eventually(lambda: one.ports.leases.count == 0)
        await one.ports.leases.renew()
        await two.ports.leases.renew()
        assert await s.routers.slots() == [(NAME, False)]


async def test_of_ten_who_come_together_with_one_unknown_id_exactly_one_stays() -> None:
    async with scene(slots=3) as s:
        gateways = [s.gateway(), s.gateway()]
        crowd = [gateways[number % 2].connect(session_id=NAME) for number in range(10)]
        ends = [asyncio.create_task(client.rest()) for client in crowd]
        while sum(not end.done() for end in ends) > 1:
            await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
        (survivor,) = (client for client, end in zip(crowd, ends, strict=True) if not end.done())
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        assert {end.result().code for end in ends if not end.cancelled()} == {SUPERSEDED.code}
        for gateway in gateways:
            await gateway.ports.leases.renew()
            await gateway.ports.leases.renew()
        assert await s.routers.slots() == [(NAME, False)]
        await survivor.stream(PCM)
        await survivor.send("end")
        assert (await survivor.rest()).code == 1000
        await eventually(lambda: sum(gateway.ports.leases.count for gateway in gateways) == 0)
        assert await s.routers.slots() == []


async def test_a_session_resumed_while_routers_are_away_has_its_lease_when_they_are_back() -> None:
    async with scene(slots=1) as s:
        gateway = s.gateway()
        first = await begin(gateway, session_id=NAME)
        s.routers.cut = True
        await first.leave()
        back = gateway.connect(session_id=NAME, last_seq=-1, offset=0)
        assert (await back.until("ready"))["resumed"] is True
        refused = gateway.connect()
        assert (await refused.rest()).code == NO_CAPACITY.code
        assert refused.of("error")[0]["code"] == "router_unavailable"
        s.routers.cut = False
        # The lease still names the connection that has left: it is taken over with the second renewal.
        await gateway.ports.leases.renew()
        await gateway.ports.leases.renew()
        held = gateway.ports.metrics.registry.get_sample_value(
            "rattil_gateway_lease_renewals_total", {"outcome": "renewed"}
        )
        assert held == 1
        assert await s.routers.slots() == [(NAME, False)]


async def test_ninety_seconds_without_routers_cost_no_session_anything() -> None:
    async with scene(slots=4) as s:
        gateway = s.gateway()
        await s.routers.registry.refresh(force=True)
        clients = [await begin(gateway) for _ in range(3)]
        gone = await begin(gateway)
        s.routers.cut = True
        s.routers.clock.advance(90)
        await gone.leave()
        s.routers.cut = False
        await s.routers.registry.refresh(force=True)
        assert len(await s.routers.slots()) == 4
        assert (await gateway.connect().rest()).code == NO_CAPACITY.code
        await gateway.ports.leases.renew()
        for _ in range(4):
            s.routers.clock.advance(8)
            await gateway.ports.leases.renew()
            await s.routers.registry.refresh(force=True)
        assert len(await s.routers.slots()) == 3
        assert [await lives(client) for client in clients] == [True] * 3


async def test_a_registry_that_lost_everything_gets_all_leases_back_with_one_renewal() -> None:
    async with scene(slots=2) as s:
        gateway = s.gateway()
        await begin(gateway)
        await begin(gateway)
        s.routers.registry._state.held.clear()
        await s.routers.registry.refresh(force=True)
        await gateway.ports.leases.renew()
        assert len(await s.routers.slots()) == 2
        assert (await gateway.connect().rest()).code == NO_CAPACITY.code


async def test_no_worker_and_no_room_are_different_words_and_no_bad_messages() -> None:
    async with scene(slots=0) as s:
        gateway = s.gateway()
        full = gateway.connect()
        assert (await full.rest()).code == NO_CAPACITY.code
        s.routers.worker(1, status="draining")
        s.routers.clock.advance(1)
        none = gateway.connect()
        assert (await none.rest()).code == NO_CAPACITY.code
        assert [client.of("error")[0]["code"] for client in (full, none)] == ["no_capacity", "no_worker"]
        assert none.of("error")[0]["retry_after_s"] > 0
        count = gateway.ports.metrics.registry.get_sample_value
        for code in ("no_capacity", "no_worker"):
            assert count("rattil_gateway_refusals_total", {"code": code}) == 1
            assert count("rattil_gateway_bad_messages_total", {"code": code}) is None


async def test_where_the_store_is_nearly_full_nobody_new_begins_and_who_is_there_goes_on() -> None:
    def full() -> None:
        raise StorageFull("the store of live sessions is nearly full; try again later", 5)

    async with world() as w:
        gateway = w.gateway()
        living = gateway.connect(session_id=NAME)
        await living.until("ready")
        await living.leave()
        object.__setattr__(gateway.ports, "expect_storage", full)
        newcomer = gateway.connect()
        assert (await newcomer.rest()).code == NO_CAPACITY.code
        assert newcomer.events[-1]["code"] == "storage_full"
        resumed = gateway.connect(session_id=NAME, last_seq=-1)
        assert (await resumed.until("ready"))["session_id"] == NAME
