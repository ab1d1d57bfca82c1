"""What `rattil up` starts: order, ports and environment."""

from __future__ import annotations

import socket

import pytest

from cli.ports import free_port
from cli.processes import PortInUse
from cli.stack import ANY_ROUTER_PORT, USUAL_ROUTER_PORT, Counts, Plan, Ports, groups
from shared.pools import parse_pools


def plan(counts: Counts, host: str = "127.0.0.1", **env: str) -> Plan:
    return Plan(counts, Ports.all_free(counts), host, env=env)


def test_routers_first_then_workers_then_gateways() -> None:
    counts = Counts(gateways=2, workers=3, routers=2)
    started = [
        (kind, [service.name for service in services]) for kind, services in groups(plan(counts), "redis://x")
    ]
    assert started == [
        ("router", ["router-1", "router-2"]),
        ("worker", ["worker-1", "worker-2", "worker-3"]),
        ("gateway", ["gateway-1", "gateway-2"]),
    ]


def test_every_service_gets_the_same_redis_and_gateways_get_all_routers() -> None:
    made = plan(Counts(routers=2), LOG_LEVEL="debug")
    services = [service for _, group in groups(made, "redis://a,redis://b") for service in group]
    assert {service.env["REDIS_URL"] for service in services} == {"redis://a,redis://b"}
    assert {service.env["LOG_LEVEL"] for service in services} == {"debug"}
    expected = ",".join(f"http://127.0.0.1:{port}" for port in made.ports.routers)
    assert services[-1].env["ROUTER_URL"] == expected


def test_many_workers_share_the_cores_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASR_THREADS", raising=False)
    workers = dict(groups(plan(Counts(workers=2)), "r"))["worker"]
    assert all(int(worker.env["ASR_THREADS"]) >= 1 for worker in workers)
    told = dict(groups(plan(Counts(workers=2), ASR_THREADS="7"), "r"))["worker"]
    assert {worker.env["ASR_THREADS"] for worker in told} == {"7"}
    alone = dict(groups(plan(Counts(workers=1)), "r"))["worker"]
    assert "ASR_THREADS" not in alone[0].env


def test_an_address_for_all_interfaces_is_probed_and_shown_as_this_machine() -> None:
    made = plan(Counts(), host="0.0.0.0")
    gateway = dict(groups(made, "r"))["gateway"][0]
    assert gateway.env["HOST"] == "0.0.0.0"
    assert gateway.ready_url.startswith("http://127.0.0.1:")
    assert made.gateway_urls[0].startswith("http://127.0.0.1:")


def test_known_ports_are_checked_before_anything_starts() -> None:
    first = free_port()
    ports = Ports.fixed(Counts(), "127.0.0.1", first, 0)
    assert list(ports.gateways) == [first]
    with pytest.raises(PortInUse, match="--port"):
        Ports.fixed(Counts(), "192.0.2.1", 1, 0)


def test_two_launches_live_side_by_side() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", USUAL_ROUTER_PORT))
            taken.listen()
        except OSError:
            pass  # somebody else's launch holds it: as good
        ports = Ports.fixed(Counts(), "127.0.0.1", 0, ANY_ROUTER_PORT)
        assert USUAL_ROUTER_PORT not in ports.routers


def test_a_lone_gateway_does_not_wait_for_sessions_to_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRAIN_SECONDS", raising=False)
    assert dict(groups(plan(Counts()), "r"))["gateway"][0].env["DRAIN_SECONDS"] == "0"
    assert "DRAIN_SECONDS" not in dict(groups(plan(Counts(gateways=2)), "r"))["gateway"][0].env
    told = dict(groups(plan(Counts(), DRAIN_SECONDS="7"), "r"))["gateway"][0]
    assert told.env["DRAIN_SECONDS"] == "7"


def test_every_pool_is_a_group_of_workers_with_a_model_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASR_THREADS", raising=False)
    counts = Counts(workers=2, pools=2)
    pools = parse_pools("fast=rattil-tiny,accurate=rattil-base")
    made = Plan(counts, Ports.all_free(counts), pools=pools)
    started = dict(groups(made, "r"))
    workers = started["worker"]
    assert [worker.name for worker in workers] == [
        "worker-fast-1",
        "worker-fast-2",
        "worker-accurate-1",
        "worker-accurate-2",
    ]
    assert [(worker.env["ASR_POOL"], worker.env["ASR_MODEL"]) for worker in workers[1:3]] == [
        ("fast", "rattil-tiny"),
        ("accurate", "rattil-base"),
    ]
    assert len({worker.ready_url for worker in workers}) == 4
    (gateway,) = started["gateway"]
    assert gateway.env["POOLS"] == "fast=rattil-tiny,accurate=rattil-base"
    assert "ASR_POOL" not in gateway.env
