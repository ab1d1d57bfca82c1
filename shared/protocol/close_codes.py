"""WebSocket close codes: 4000-4499 mean "reconnect and resume", 4500-4999 mean "do not come back"."""

from __future__ import annotations

from typing import NamedTuple

RECONNECT = frozenset({1001, 1005, 1006, 1011, 1012, 1013})
"""Standard codes after which it helps to come back. 1005: closed without a code; 1006: no close frame."""


class Close(NamedTuple):
    """A close code with its reason (at most 123 bytes of UTF-8 fit into a close frame)."""

    code: int
    reason: str

    @property
    def reconnect(self) -> bool:
        return self.code in RECONNECT or 4000 <= self.code <= 4499


NORMAL = Close(1000, "done")
POLICY = Close(1008, "policy violation")
TOO_BIG = Close(1009, "message too big")
UNANSWERED = Close(1011, "no answer to pings")
"""Sent by the server's WebSocket layer; a socket whose reading is held back is not pinged."""

DRAINING = Close(4001, "draining: reconnect and resume")
SLOW_CONSUMER = Close(4008, "slow consumer: events were not read in time; reconnect and resume")
IDLE = Close(4009, "idle: no audio for too long; reconnect to resume")
STATE_LOST = Close(4010, "session state lost: reconnect, the gap will be stated")
LAGGING = Close(4010, "lagging: results are too far behind; reconnect to resume")
"""The code of `STATE_LOST`, too: both say to reconnect, the error before them says why."""

BUS_AWAY = Close(4011, "bus unavailable: reconnect and resume")
UNRESPONSIVE = Close(4012, "unresponsive: no answer to ping; reconnect and resume")
NO_CAPACITY = Close(4013, "no capacity: retry later")
INTERNAL = Close(4014, "internal error: reconnect and resume")

SUPERSEDED = Close(4501, "superseded: a newer connection took this session")
UNAUTHORISED = Close(4502, "unauthorised")
TOO_LONG = Close(4503, "session too long")
OVERLOADED = Close(4503, "overloaded: results come too late now; try again later")
"""The code of `TOO_LONG`, too: after both a new session is needed, the error before them says why."""
