"""An ended connection is gone at once, by reference count: no part of it waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest

from gateway.admission.router_client import HttpAdmission, OpenAdmission
from shared.errors import NoCapacity
from shared.ids import SessionId
from shared.protocol.close_codes import BUS_AWAY, IDLE, NO_CAPACITY, POLICY, SUPERSEDED, TOO_BIG
from shared.protocol.workers import AdmitRequest, Lease
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Closed, Gateway, World, eventually, world

PCM = speech.recite(range(12))

_WATCHED = ("gateway.", "starlette.websockets.", "asyncio.taskgroups.", "builtins.ExceptionGroup")

Scenario = Callable[[World, Gateway], Awaitable[None]]


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No collection happens by itself meanwhile."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class FullRouter(OpenAdmission):
    """Lets nobody in."""

    async def admit(self, request: AdmitRequest) -> Lease:
        raise NoCapacity("all workers are full", 1.0)


def alive() -> Counter[str]:
    """Everything of the gateway's, its sockets and its task groups, by type."""
    kinds = (f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.get_objects())
    return Counter(kind for kind in kinds if kind.startswith(_WATCHED))


async def recite_to_the_end(_world: World, gateway: Gateway) -> None:
    client = gateway.connect()
    await client.stream(PCM)
    await client.send("end")
    assert (await client.rest()).code == 1000


async def leave_in_the_middle(_world: World, gateway: Gateway) -> None:
    client = gateway.connect()
    await client.stream(PCM)
    await client.until("partial_result")
    await client.leave()


async def be_superseded(_world: World, gateway: Gateway) -> None:
    old = gateway.connect()
    ready = await old.until("ready")
    new = gateway.connect(session_id=ready["session_id"], last_seq=-1, offset=0)
    await new.until("ready")
    assert (await old.rest()).code == SUPERSEDED.code
    await new.leave()


async def say_nothing(_world: World, gateway: Gateway) -> None:
    assert (await gateway.connect().rest()).code == IDLE.code


async def never_read(_world: World, gateway: Gateway) -> None:
    client = gateway.connect()
    await client.until("ready")
    client.reads.clear()
    await client.send("ping")
    await eventually(lambda: gateway.ports.connections.count == 0)
    client.reads.set()
    assert isinstance(await client.rest(), Closed)


async def send_too_much(_world: World, gateway: Gateway) -> None:
    client = gateway.connect()
    await client.send(bytes(gateway.ports.settings.max_frame_bytes + 2))
    assert (await client.rest()).code == TOO_BIG.code


async def ask_for_no_verse(_world: World, gateway: Gateway) -> None:
    assert (await gateway.connect(ayah=9, to=None).rest()).code == POLICY.code


async def lose_the_bus(made: World, gateway: Gateway) -> None:
    client = gateway.connect()
    await client.until("ready")
    made.bus.cut()
    try:
        await client.stream(PCM)
        assert (await client.rest()).code == BUS_AWAY.code
    finally:
        made.bus.mend()


async def find_no_room(_world: World, gateway: Gateway) -> None:
    assert (await gateway.connect().rest()).code == NO_CAPACITY.code


SCENARIOS: list[tuple[Scenario, dict[str, float]]] = [
    (recite_to_the_end, {}),
    (leave_in_the_middle, {}),
    (be_superseded, {}),
    (say_nothing, {"idle_timeout_s": 0.05}),
    (never_read, {"send_timeout_s": 0.05}),
    (send_too_much, {}),
    (ask_for_no_verse, {}),
    (lose_the_bus, {"bus_grace_s": 0.05}),
    (find_no_room, {}),
]


@pytest.mark.parametrize(("scenario", "settings"), SCENARIOS, ids=[one.__name__ for one, _ in SCENARIOS])
async def test_nothing_of_a_connection_is_left(
    uncollected: None, scenario: Scenario, settings: dict[str, float]
) -> None:
    async with world() as made:
        gateway = made.gateway(FullRouter() if scenario is find_no_room else None, **settings)
        await _once(scenario, made, gateway)  # fills caches, makes metrics
        before = alive()
        await _once(scenario, made, gateway)
        for _ in range(100):
            if not alive() - before:
                break
            await asyncio.sleep(0.01)  # the thread that read the request may not have let go of it yet
        assert alive() - before == Counter()


async def _once(scenario: Scenario, made: World, gateway: Gateway) -> None:
    await scenario(made, gateway)
    clients: list[Client] = list(gateway.clients)
    gateway.clients.clear()
    await asyncio.wait([client.task for client in clients])


async def test_an_answer_of_the_router_is_gone_once_it_is_read(uncollected: None) -> None:
    def router(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/leases/release":
            return httpx.Response(204)
        return httpx.Response(503, json={"error": {"code": "no_capacity", "message": "full"}})

    admission = HttpAdmission(["http://router"], transport=httpx.MockTransport(router))
    asked = AdmitRequest(SessionId("session-1"), "connection-1")
    for _ in range(2):
        await admission.release(asked.session_id, asked.holder)
        with pytest.raises(NoCapacity):
            await admission.admit(asked)
    await admission.close()
    asked_for = [thing.url for thing in gc.get_objects() if type(thing) is httpx.Request]
    assert not [url for url in asked_for if url.host == "router"]  # other tests may leave theirs
