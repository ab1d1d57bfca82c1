"""Why a connection ends: the close code, and the error event before it if there is one."""

from __future__ import annotations

from gateway.connection.registry import Draining
from gateway.session.events import Trouble
from shared.errors import (
    BadRequest,
    BusUnavailable,
    Fenced,
    NoCapacity,
    RattilError,
    RouterUnavailable,
    StateLost,
)
from shared.protocol.close_codes import (
    BUS_AWAY,
    DRAINING,
    INTERNAL,
    NO_CAPACITY,
    POLICY,
    STATE_LOST,
    SUPERSEDED,
    UNAUTHORISED,
    Close,
)


class EndConnection(Exception):
    """Ends a connection in an orderly way: what is queued is sent, then the close frame."""

    def __init__(self, close: Close, code: str = "", message: str = "") -> None:
        super().__init__(close.reason)
        self.close = close
        self.trouble = Trouble(code, message) if code else None


_CLOSES: tuple[tuple[type[RattilError], Close], ...] = (
    (Draining, DRAINING),
    (NoCapacity, NO_CAPACITY),
    (RouterUnavailable, NO_CAPACITY),
    (BusUnavailable, BUS_AWAY),
    (Fenced, SUPERSEDED),
    (StateLost, STATE_LOST),
)


def closing_for(error: RattilError) -> EndConnection:
    """The close code and the error event that tell a client about `error`."""
    closing = EndConnection(_close_for(error), error.code, error.message)
    if isinstance(error, NoCapacity):
        closing.trouble = Trouble(error.code, error.message, retry_after_s=error.retry_after_s)
    return closing


def _close_for(error: RattilError) -> Close:
    if error.code == "unauthorised":
        return UNAUTHORISED
    if isinstance(error, BadRequest):
        return Close(POLICY.code, f"{error.code}: {error.message}")
    for kind, close in _CLOSES:
        if isinstance(error, kind):
            return close
    return INTERNAL
