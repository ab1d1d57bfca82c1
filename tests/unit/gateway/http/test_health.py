"""`/ready`: red for what is this gateway's own, green with a list for what is away for all of them."""

from __future__ import annotations

import httpx
import pytest

from gateway.admission.router_client import OpenAdmission
from shared.errors import RouterUnavailable
from tests.unit.gateway.harness import Gateway, world


class Routers(OpenAdmission):
    """Routers that know of so many workers, or are away (None)."""

    def __init__(self, workers: int | None) -> None:
        self.workers = workers

    async def workers_ready(self) -> int:
        if self.workers is None:
            raise RouterUnavailable("no session router answers; try again shortly")
        return self.workers


async def _ready(gateway: Gateway) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway.app), base_url="http://test") as http:
        return await http.get("/ready")


async def test_a_gateway_with_everything_is_ready() -> None:
    async with world() as w:
        answer = await _ready(w.gateway())
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "missing": []})


@pytest.mark.parametrize(("workers", "missing"), [(0, "workers"), (None, "routers")])
async def test_without_workers_or_routers_it_stays_ready_and_says_so(
    workers: int | None, missing: str
) -> None:
    async with world() as w:
        answer = await _ready(w.gateway(Routers(workers)))
    assert answer.status_code == 200
    assert [text.partition(":")[0] for text in answer.json()["missing"]] == [missing]


async def test_without_its_redis_it_is_not_ready() -> None:
    async with world() as w:
        gateway = w.gateway(Routers(0))
        w.bus.cut()
        answer = await _ready(gateway)
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["redis: it does not answer"]
        assert answer.json()["missing"] == ["workers: none is ready; new sessions are refused"]
        w.bus.mend()
        assert (await _ready(gateway)).status_code == 200


async def test_while_it_drains_it_is_not_ready() -> None:
    async with world() as w:
        gateway = w.gateway()
        await gateway.ports.connections.drain(0)
        answer = await _ready(gateway)
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    assert answer.json()["reasons"] == ["draining: this gateway is going away"]
