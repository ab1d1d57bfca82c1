"""The circuit breakers of one gateway: before the routers, the verify jobs, and each Redis shard."""

from __future__ import annotations

from functools import partial

from gateway.admission.circuit import Circuit, CircuitPolicy
from gateway.metrics import GatewayMetrics
from shared.bus.sharding import shard_of
from shared.clock import Clock
from shared.errors import BusUnavailable
from shared.ids import SessionId


class Circuits:
    """`router` and `batch`, and those of the shards by session. Their states are metrics."""

    def __init__(self, policy: CircuitPolicy, clock: Clock, metrics: GatewayMetrics, shards: int = 1) -> None:
        self.router = Circuit(policy, clock)
        self.batch = Circuit(policy, clock)
        self._shards = [Circuit(policy, clock) for _ in range(shards)]
        named = {"router": self.router, "batch": self.batch} | {
            f"redis-{number}": circuit for number, circuit in enumerate(self._shards)
        }
        for name, circuit in named.items():
            metrics.circuit_state.labels(name).set_function(partial(_state_of, circuit))

    def bus(self, session_id: SessionId) -> Circuit:
        """The circuit before the shard that holds this session."""
        return self._shards[shard_of(session_id, len(self._shards))]

    def bus_answers(self, shard: int) -> None:
        """The shard has answered somebody: it is asked again at once, by all who wait."""
        self._shards[shard].succeeded()


def _state_of(circuit: Circuit) -> float:
    return float(circuit.state)


def bus_away(retry_after_s: float) -> BusUnavailable:
    """What a request is told whose Redis is not asked now."""
    return BusUnavailable("Redis has not answered for a while and is not asked now", retry_after_s)
