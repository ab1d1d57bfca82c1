"""What ended a connection: from the failures of its tasks to the close that its client sees."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.connection.end_reason import EndConnection, EndReason, end_for
from gateway.connection.send_queue import SlowConsumer
from gateway.connection.transport import PeerGone
from shared.errors import RattilError
from shared.ids import SessionId
from shared.service.logging import get_logger

_EXPECTED = (EndConnection, PeerGone, SlowConsumer, RattilError)

_log = get_logger(__name__)


def what_ended(group: BaseExceptionGroup[BaseException], session_id: SessionId) -> EndConnection | None:
    """The one failure among those of all tasks that the client is told; None if the client left.

    A failure that nobody expected comes before all others, and is logged with its traceback.
    """
    failures = list(_leaves(group))
    unexpected = [failure for failure in failures if not isinstance(failure, _EXPECTED)]
    if unexpected:
        _log.error("connection_failed", session_id=session_id, exc_info=unexpected[0])
        return EndConnection(EndReason.INTERNAL, "internal", "something went wrong here; reconnect to resume")
    if any(isinstance(failure, PeerGone) for failure in failures):
        return None
    for failure in failures:
        if isinstance(failure, EndConnection):
            return failure
        if isinstance(failure, RattilError):
            return end_for(failure)
    return EndConnection(EndReason.SLOW_CONSUMER)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[Exception]:
    for failure in group.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _leaves(failure)
        elif isinstance(failure, Exception):
            yield failure
