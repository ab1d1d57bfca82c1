"""What the gateway's routes and connections are given; composed once, in `gateway/__main__.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.adaptive import AdaptiveWindow
from gateway.auth import Authenticator
from gateway.batch import BatchVerifier
from gateway.drain import Connections
from gateway.encoding import PlainEncoder, WindowEncoder
from gateway.leases import LeaseKeeper
from gateway.metrics import GatewayMetrics
from gateway.router_client import Admission
from gateway.settings import GatewaySettings
from shared.bus.ports import ResultFeed, SessionStore
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class GatewayPorts:
    """Everything with a life of its own that a gateway needs.

    `store`/`feed`: the bus. `admission`: the router. `leases`: the leases this process holds.
    `batch`: final reports. `connections`: live connections, their limit, and the drain.
    `workers_ready`: how many workers are ready; raises `Unavailable` when nobody can say. `encoder`:
    how audio is encoded for the bus.
    """

    settings: GatewaySettings
    clock: Clock
    store: SessionStore
    feed: ResultFeed
    admission: Admission
    leases: LeaseKeeper
    batch: BatchVerifier
    auth: Authenticator
    adaptive: AdaptiveWindow
    metrics: GatewayMetrics
    connections: Connections
    workers_ready: Callable[[], Awaitable[int]]
    encoder: WindowEncoder = field(default_factory=PlainEncoder)
