"""The circuits of one gateway: whoever gets an answer closes the circuit for all."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from gateway.admission.circuit import CircuitPolicy, CircuitState
from gateway.admission.circuits import Circuits, bus_away
from gateway.metrics import GatewayMetrics
from shared.bus.sharding import shard_of
from shared.clock import SystemClock
from shared.errors import BusUnavailable
from shared.ids import SessionId


def test_a_shard_that_has_answered_the_watch_is_asked_by_everybody_again() -> None:
    circuits = Circuits(
        CircuitPolicy(failures=1), SystemClock(), GatewayMetrics(CollectorRegistry()), shards=2
    )
    ids = {shard_of(SessionId(f"s{number}"), 2): SessionId(f"s{number}") for number in range(20)}
    for circuit in map(circuits.bus, ids.values()):
        circuit.failed()
        with pytest.raises(BusUnavailable), circuit.guard(bus_away, (BusUnavailable,)):
            raise AssertionError("nothing is asked while the circuit is open")
    circuits.bus_answers(0)
    assert circuits.bus(ids[0]).state is CircuitState.CLOSED
    assert circuits.bus(ids[1]).state is not CircuitState.CLOSED
