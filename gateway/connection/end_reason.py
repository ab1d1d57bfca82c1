"""Why a connection ends, in no transport's words: each transport turns it into its own kind of end."""

from __future__ import annotations

import enum
from typing import NamedTuple

from gateway.session.events import Trouble
from shared.errors import (
    BadRequest,
    BusUnavailable,
    Draining,
    Fenced,
    NoCapacity,
    Overloaded,
    RattilError,
    RouterUnavailable,
    StateLost,
    Unauthorised,
    Unavailable,
)


class EndReason(enum.Enum):
    """Every way in which a connection can end. The value is its name in metrics."""

    DONE = "done"
    BAD_REQUEST = "bad_request"
    FRAME_TOO_BIG = "frame_too_big"
    DRAINING = "draining"
    SLOW_CONSUMER = "slow_consumer"
    IDLE = "idle"
    UNRESPONSIVE = "unresponsive"
    STATE_LOST = "state_lost"
    BUS_AWAY = "bus_away"
    NO_CAPACITY = "no_capacity"
    INTERNAL = "internal"
    SUPERSEDED = "superseded"
    UNAUTHORISED = "unauthorised"
    TOO_LONG = "too_long"
    LAGGING = "lagging"
    OVERLOADED = "overloaded"

    @property
    def may_come_back(self) -> bool:
        """Whether the client is told to go on with the session in another connection."""
        return self not in _LAST


_LAST = frozenset(
    {
        EndReason.DONE,
        EndReason.BAD_REQUEST,
        EndReason.FRAME_TOO_BIG,
        EndReason.SUPERSEDED,
        EndReason.UNAUTHORISED,
        EndReason.TOO_LONG,
        EndReason.OVERLOADED,
    }
)


class End(NamedTuple):
    """How a connection ends. `detail`: what to add for the client where the transport has room for it."""

    reason: EndReason
    detail: str = ""


class EndConnection(Exception):
    """Ends a connection in an orderly way: what is queued is sent, then the end."""

    def __init__(self, reason: EndReason, code: str = "", message: str = "") -> None:
        """`code`, `message`: the error that is told before the end; none if `code` is empty."""
        super().__init__(reason.value)
        self.end = End(reason, f"{code}: {message}" if code else "")
        self.trouble = Trouble(code, message) if code else None


_REASONS: tuple[tuple[type[RattilError], EndReason], ...] = (
    (Draining, EndReason.DRAINING),
    (Overloaded, EndReason.OVERLOADED),
    (NoCapacity, EndReason.NO_CAPACITY),
    (RouterUnavailable, EndReason.NO_CAPACITY),
    (BusUnavailable, EndReason.BUS_AWAY),
    (Fenced, EndReason.SUPERSEDED),
    (StateLost, EndReason.STATE_LOST),
    (Unauthorised, EndReason.UNAUTHORISED),
    (BadRequest, EndReason.BAD_REQUEST),
)


def end_for(error: RattilError) -> EndConnection:
    """How a connection ends because of `error`, and what its client is told."""
    ending = EndConnection(_reason_for(error), error.code, error.for_client)
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        ending.trouble = Trouble(error.code, error.for_client, retry_after_s=error.retry_after_s)
    return ending


def _reason_for(error: RattilError) -> EndReason:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), EndReason.INTERNAL)
