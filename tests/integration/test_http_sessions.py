"""`DELETE /v1/sessions/{id}`: whoever knows the id (and has the tenant's key) can have it forgotten."""

from __future__ import annotations

import httpx
import pytest

from gateway.admission.router_client import HttpAdmission
from gateway.app import build_app
from session_router.app import build_router
from session_router.settings import RouterSettings
from shared.clock import ManualClock
from shared.ids import PoolName, WorkerId
from shared.protocol.close_codes import SUPERSEDED
from shared.protocol.workers import WorkerReport
from tests.integration.edge import edge
from tests.memory.backlog import EmptyBacklog
from tests.memory.registry import MemoryRegistry
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Closed, eventually, world


async def test_a_session_is_deleted_and_its_connection_ends() -> None:
    async with edge() as running:
        client = running.gateway.connect()
        ready = await client.until("ready")
        await client.stream(speech.recite(range(16)))
        await client.until("ack")
        path = f"/v1/sessions/{ready['session_id']}"
        assert (await running.http.delete(path)).status_code == 204
        closed: Closed = await client.rest()
        assert closed.code == SUPERSEDED.code
        assert running.batch.forgotten == [(ready["session_id"], ready["epoch"])]
        gone = await running.http.delete(path)
        assert gone.status_code == 404
        assert gone.json()["error"]["code"] == "unknown_session"


@pytest.mark.parametrize("session_id", ["no-such-session", "x", "%00%00%00%00%00%00%00%00"])
async def test_what_is_no_session_is_unknown(session_id: str) -> None:
    async with edge() as running:
        assert (await running.http.delete(f"/v1/sessions/{session_id}")).status_code == 404


async def test_only_the_own_tenant_can_delete() -> None:
    async with edge(api_keys="acme=a-key,other=b-key") as running:
        client = running.gateway.connect([("Authorization", "Bearer a-key")])
        path = f"/v1/sessions/{(await client.until('ready'))['session_id']}"
        for headers, status in (({}, 401), ({"X-API-Key": "b-key"}, 404), ({"X-API-Key": "a-key"}, 204)):
            assert (await running.http.delete(path, headers=headers)).status_code == status


@pytest.mark.parametrize("connected", [True, False])
async def test_the_slot_of_a_deleted_session_is_free_at_once(connected: bool) -> None:
    """Deleted at another gateway than its own, while its client is connected, or has just left."""
    clock = ManualClock()
    registry = MemoryRegistry(clock)
    registry.heartbeat(WorkerReport(WorkerId("w1"), PoolName("default"), "ready", 1))
    await registry.refresh(force=True)
    router = build_router(RouterSettings(drain_s=0), registry, EmptyBacklog(), clock)
    async with world() as made:
        own, other = (
            made.gateway(HttpAdmission(["http://localhost"], transport=httpx.ASGITransport(router.app)))
            for _ in range(2)
        )
        client = own.connect()
        session_id = (await client.until("ready"))["session_id"]
        await client.stream(speech.recite(range(16)))
        await client.until("ack")
        if not connected:
            await client.leave()
            await eventually(lambda: own.ports.leases.count == 0)
        [lease] = (await registry.leases("", 10)).sessions
        assert lease.parked is not connected

        transport = httpx.ASGITransport(build_app(other.ports))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            assert (await http.delete(f"/v1/sessions/{session_id}")).status_code == 204
        assert (await registry.leases("", 10)).sessions == ()
        await own.ports.leases.renew()  # whether or not its connection has heard of it by now
        newcomer: Client = other.connect()
        await newcomer.until("ready")
