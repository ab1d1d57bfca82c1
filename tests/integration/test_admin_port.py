"""What a gateway carries is shown on the admin port, and on the public one to those who have a key."""

from __future__ import annotations

import httpx
import pytest

from cli.ports import free_port
from gateway.app import build_admin
from shared.service.http_server import CannotListen, served_beside
from tests.integration.edge import edge

KEY = {"Authorization": "Bearer secret"}
VIEWS = ("/metrics", "/metrics/streaming")


@pytest.mark.parametrize("path", VIEWS)
async def test_without_keys_everybody_may_look(path: str) -> None:
    async with edge() as made:
        assert (await made.http.get(path)).status_code == 200


@pytest.mark.parametrize("path", VIEWS)
async def test_with_keys_a_key_is_needed_on_the_public_port(path: str) -> None:
    async with edge(api_keys="acme=secret") as made:
        refused = await made.http.get(path)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "unauthorised"
        assert (await made.http.get(path, headers=KEY)).status_code == 200


async def test_health_and_readiness_need_no_key() -> None:
    async with edge(api_keys="acme=secret") as made:
        assert (await made.http.get("/health")).status_code == 200
        assert (await made.http.get("/ready")).status_code in (200, 503)


async def test_the_admin_port_asks_for_no_key_and_serves_no_client() -> None:
    port = free_port()
    async with edge(api_keys="acme=secret") as made, httpx.AsyncClient() as http:
        async with served_beside(build_admin(made.gateway.ports), "127.0.0.1", port):
            answers = {
                path: (await http.get(f"http://127.0.0.1:{port}{path}")).status_code
                for path in (*VIEWS, "/health", "/verses/1/1", "/")
            }
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://127.0.0.1:{port}/health")
    assert answers == {
        "/metrics": 200,
        "/metrics/streaming": 200,
        "/health": 200,
        "/verses/1/1": 404,
        "/": 404,
    }


async def test_prometheus_gets_exemplars_when_it_asks_for_them() -> None:
    async with edge() as made:
        answer = await made.http.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")


async def test_a_taken_admin_port_is_said() -> None:
    port = free_port()
    async with edge() as made, served_beside(build_admin(made.gateway.ports), "127.0.0.1", port):
        with pytest.raises(CannotListen, match=str(port)):
            async with served_beside(build_admin(made.gateway.ports), "127.0.0.1", port):
                raise AssertionError("two servers on one port")
