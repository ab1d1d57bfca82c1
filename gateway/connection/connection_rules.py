"""What the connections of one dialect keep to beside the limits that hold for all."""

from __future__ import annotations

import msgspec

from gateway.connection.lag_watch import LagLimits


class ConnectionRules(msgspec.Struct, frozen=True):
    """`ping_s`: how often the client is asked whether it is there, seconds, 0: never. `pong_s`: how long it
    may take to answer. `backlog_s`: seconds of audio that may wait before the socket is no longer read, None:
    as the service has it. `text_bytes`: largest text frame, None: as the service has it. `flushes`: a drain
    first has all that came until then cut, stored and answered. `lag`: what is done about
    late results, None: nothing."""

    ping_s: float = 0.0
    pong_s: float = 0.0
    backlog_s: float | None = None
    text_bytes: int | None = None
    flushes: bool = False
    lag: LagLimits | None = None


DEFAULT_RULES = ConnectionRules()
