"""Who may ask a router: with which key, under which name."""

from __future__ import annotations

import httpx
import pydantic
import pytest

from session_router.app import build_router
from session_router.settings import RouterSettings
from shared.clock import ManualClock
from shared.service.loopback import is_loopback
from shared.service.service_keys import parse_service_keys
from tests.memory.backlog import EmptyBacklog
from tests.memory.registry import MemoryRegistry

KEY = "0123456789abcdef"
NEXT_KEY = "fedcba9876543210"
ASKED = {"session_id": "session-1", "holder": "connection-1"}


def _client(base_url: str = "http://127.0.0.1:8100", **settings: str) -> httpx.AsyncClient:
    clock = ManualClock()
    router = build_router(RouterSettings(drain_s=0, **settings), MemoryRegistry(clock), EmptyBacklog(), clock)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=httpx.ASGITransport(router.app), base_url=base_url)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("", 401),
        ("Bearer", 401),
        ("Bearer 0123456789abcdeF", 401),
        (f"Basic {KEY}", 401),
        (f"Bearer {KEY}\xff", 401),
        (f"Bearer {KEY}", 200),
        (f"bearer  {NEXT_KEY} ", 200),
    ],
)
async def test_outside_of_this_machine_a_key_is_needed(header: str, status: int) -> None:
    async with _client(host="0.0.0.0", api_keys=f"{KEY}, {NEXT_KEY}") as client:
        headers = httpx.Headers({"Authorization": header} if header else {}, encoding="latin-1")
        for path in ("/v1/sessions", "/v1/workers", "/v1/capacity"):
            assert (await client.get(path, headers=headers)).status_code == status
        admitted = await client.post("/v1/sessions", json=ASKED, headers=headers)
        assert (admitted.status_code == 401) == (status == 401)
        released = await client.post("/v1/leases/release", json=ASKED, headers=headers)
        assert (released.status_code == 401) == (status == 401)
        deleted = await client.delete("/v1/sessions/session-1", headers=headers)
        assert (deleted.status_code == 401) == (status == 401)


async def test_a_refusal_says_what_to_send_and_no_key() -> None:
    async with _client(host="0.0.0.0", api_keys=KEY) as client:
        refused = await client.get("/v1/sessions", headers={"Authorization": "Bearer guessed-by-somebody"})
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    error = refused.json()["error"]
    assert error["code"] == "unauthorised"
    assert "Authorization: Bearer" in error["message"]
    assert "guessed" not in refused.text
    assert KEY not in refused.text


async def test_probes_and_prometheus_need_no_key() -> None:
    async with _client(host="0.0.0.0", api_keys=KEY) as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/ready")).status_code == 503  # it has not looked at the registry yet
        assert (await client.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    ("named", "status"),
    [("127.0.0.1:8100", 200), ("localhost", 200), ("[::1]:8100", 200), ("evil.example", 400), ("", 400)],
)
async def test_on_loopback_only_loopback_names_are_answered(named: str, status: int) -> None:
    """A page whose own name has been turned to 127.0.0.1 still sends that name."""
    async with _client() as client:
        answer = await client.get("/v1/sessions", headers={"Host": named})
        assert answer.status_code == status
        if status == 400:
            assert answer.json()["error"]["code"] == "unknown_host"


async def test_allowed_hosts_can_be_named() -> None:
    async with _client("http://router", allowed_hosts="router, other") as client:
        assert (await client.get("/v1/sessions")).status_code == 200
        assert (await client.get("/v1/sessions", headers={"Host": "127.0.0.1"})).status_code == 400


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "router.internal", ""])
def test_without_a_key_a_router_does_not_start_where_others_reach_it(host: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="ROUTER_API_KEYS is empty"):
        RouterSettings(host=host)


@pytest.mark.parametrize(
    "keys", ["short", f"{KEY},", f",{KEY}", f"{KEY},,{NEXT_KEY}", f"{KEY} {NEXT_KEY}", ","]
)
def test_a_key_that_is_none_stops_the_start_and_is_not_shown(keys: str) -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(pydantic.ValidationError, match="ROUTER_API_KEYS") as refused:
            RouterSettings(host=host, api_keys=keys)
        assert all(KEY not in str(problem["msg"]) for problem in refused.value.errors())


def test_keys_may_hold_what_base64_holds() -> None:
    assert parse_service_keys("c2VjcmV0LWtleTE9PT0=, abc/def+ghi~0123456") == (
        "c2VjcmV0LWtleTE9PT0=",
        "abc/def+ghi~0123456",
    )


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "LOCALHOST")),
        *((host, False) for host in ("0.0.0.0", "192.168.1.1", "::", "localhost.example", "")),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
