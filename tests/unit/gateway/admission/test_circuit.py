"""A service that is away is not asked by everybody, and is asked again soon enough."""

from __future__ import annotations

import asyncio
import random

import pytest
from prometheus_client import CollectorRegistry

from gateway.admission.circuit import FIRST_OPEN_S, Circuit, CircuitPolicy, CircuitState
from gateway.admission.circuits import Circuits, bus_away
from gateway.metrics import GatewayMetrics
from shared.clock import ManualClock
from shared.errors import BusUnavailable, NoCapacity
from shared.ids import SessionId

POLICY = CircuitPolicy(failures=5, longest_open_s=60.0)


class Service:
    """A circuit, and what stands behind it; counts who got through."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = ManualClock()
        self.circuit = Circuit(POLICY, self.clock, random.Random(seed))
        self.asked = 0

    def state(self) -> CircuitState:
        return self.circuit.state

    def ask(self, failure: Exception | None = None) -> None:
        with self.circuit.guard(bus_away, (BusUnavailable,)):
            self.asked += 1
            if failure is not None:
                raise failure

    def fail(self) -> None:
        with pytest.raises(BusUnavailable):
            self.ask(BusUnavailable("away"))

    def refused_for_s(self) -> float:
        """When the circuit says to come back; it must not have asked."""
        asked = self.asked
        with pytest.raises(BusUnavailable) as refused:
            self.ask()
        assert self.asked == asked
        assert refused.value.retry_after_s is not None
        return refused.value.retry_after_s

    def open(self) -> None:
        for _ in range(POLICY.failures):
            self.fail()


def test_failures_in_a_row_open_it_and_calls_fail_without_being_made() -> None:
    service = Service()
    for _ in range(POLICY.failures - 1):
        service.fail()
    assert service.state() is CircuitState.CLOSED
    service.fail()
    assert service.state() is CircuitState.OPEN
    assert 0.5 * FIRST_OPEN_S <= service.refused_for_s() <= FIRST_OPEN_S


def test_a_success_in_between_begins_the_count_anew() -> None:
    service = Service()
    for _ in range(3):
        for _ in range(POLICY.failures - 1):
            service.fail()
        service.ask()
    assert service.state() is CircuitState.CLOSED


def test_a_trial_that_succeeds_closes_it() -> None:
    service = Service()
    service.open()
    service.clock.advance(service.refused_for_s())
    service.ask()
    assert service.state() is CircuitState.CLOSED
    service.fail()
    assert service.state() is CircuitState.CLOSED


def test_each_trial_that_fails_makes_the_next_pause_longer_up_to_the_longest() -> None:
    for seed in range(20):
        service = Service(seed)
        service.open()
        pauses = []
        for _ in range(12):
            pauses.append(service.refused_for_s())
            service.clock.advance(pauses[-1])
            service.fail()
        for number, pause_s in enumerate(pauses):
            most_s = min(FIRST_OPEN_S * 2**number, POLICY.longest_open_s)
            assert 0.5 * most_s <= pause_s <= most_s


def test_two_gateways_do_not_try_at_the_same_moment() -> None:
    pauses = set()
    for seed in range(20):
        service = Service(seed)
        service.open()
        pauses.add(service.refused_for_s())
    assert len(pauses) > 10


def test_it_is_half_open_from_when_the_next_call_is_the_trial() -> None:
    service = Service()
    service.open()
    left_s = service.refused_for_s()
    service.clock.advance(left_s - 0.01)
    assert service.state() is CircuitState.OPEN
    service.clock.advance(0.02)
    assert service.state() is CircuitState.HALF_OPEN
    service.fail()
    assert service.state() is CircuitState.OPEN


def test_only_one_call_is_the_trial() -> None:
    service = Service()
    service.open()
    service.clock.advance(FIRST_OPEN_S)
    with service.circuit.guard(bus_away, (BusUnavailable,)):
        assert service.state() is CircuitState.HALF_OPEN
        assert service.refused_for_s() > 0
    assert service.state() is CircuitState.CLOSED


async def test_a_trial_that_tells_nothing_leaves_the_next_call_to_try() -> None:
    service = Service()
    service.open()
    service.clock.advance(FIRST_OPEN_S)
    with pytest.raises(NoCapacity):
        service.ask(NoCapacity("full"))

    async def leaves() -> None:
        with service.circuit.guard(bus_away, (BusUnavailable,)):
            await asyncio.Event().wait()

    client = asyncio.create_task(leaves())
    await asyncio.sleep(0)
    assert service.state() is CircuitState.HALF_OPEN
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)
    assert service.state() is CircuitState.HALF_OPEN
    service.ask()
    assert service.state() is CircuitState.CLOSED


def test_who_is_not_held_back_by_it_is_heard_all_the_same() -> None:
    service = Service()
    for _ in range(POLICY.failures):
        service.circuit.failed()
    assert service.state() is CircuitState.OPEN
    left_s = service.refused_for_s()
    service.circuit.failed()  # begun before, or a session that lives: no reason to wait longer
    assert service.refused_for_s() == left_s
    service.circuit.succeeded()
    service.ask()


def test_each_shard_has_a_circuit_and_a_metric_of_its_own() -> None:
    metrics = GatewayMetrics(CollectorRegistry())
    circuits = Circuits(CircuitPolicy(1), ManualClock(), metrics, shards=3)
    sessions = [SessionId(f"session-{number}") for number in range(50)]
    assert len({id(circuits.bus(session)) for session in sessions}) == 3
    circuits.bus(sessions[0]).failed()
    states = [
        metrics.registry.get_sample_value("rattil_gateway_circuit_state", {"service": name})
        for name in ("router", "batch", "redis-0", "redis-1", "redis-2")
    ]
    assert (states.count(0), states.count(2)) == (4, 1)
