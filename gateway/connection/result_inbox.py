"""Where the feed delivers one connection's results: a bounded inbox that wakes its driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from shared.ids import ConnectionId
from shared.protocol.segments import LoggedResult, Takeover

_MAX_WAITING = 128
"""Results not yet looked at; beyond it they are dropped here and read from the log instead."""


class ResultInbox:
    """A `ResultSink`. `must_read_log`: the feed may have missed something."""

    def __init__(self, connection_id: ConnectionId) -> None:
        self._connection_id = connection_id
        self._results: deque[LoggedResult] = deque()
        self._wake: Callable[[], None] = _nobody
        self._superseded: Callable[[], None] = _nobody
        self._taken_over = False
        self.must_read_log = False

    def connect(self, wake: Callable[[], None], superseded: Callable[[], None]) -> None:
        """Who to call from now on; at once if something is waiting already."""
        self._wake, self._superseded = wake, superseded
        if self._taken_over:
            superseded()
        wake()

    def take(self) -> list[LoggedResult]:
        """All results that are waiting."""
        taken = list(self._results)
        self._results.clear()
        return taken

    def on_result(self, logged: LoggedResult) -> None:
        if len(self._results) >= _MAX_WAITING:
            self.must_read_log = True
        else:
            self._results.append(logged)
        self._wake()

    def on_takeover(self, takeover: Takeover) -> None:
        if takeover.by != self._connection_id:
            self._taken_over = True
            self._superseded()

    def on_gap(self) -> None:
        self.must_read_log = True
        self._wake()


def _nobody() -> None:
    return None
