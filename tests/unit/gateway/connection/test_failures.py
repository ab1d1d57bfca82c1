"""What a client is told of the failures of a connection's tasks."""

from __future__ import annotations

from structlog.testing import capture_logs

from gateway.connection.end_reason import EndConnection, EndReason
from gateway.connection.failures import what_ended
from gateway.connection.send_queue import SlowConsumer
from gateway.connection.transport import PeerGone
from shared.errors import BusUnavailable
from shared.ids import SessionId

SESSION = SessionId("session")


def _ended(*failures: Exception) -> EndConnection | None:
    return what_ended(ExceptionGroup("tasks", failures), SESSION)


def test_a_client_that_left_is_told_nothing() -> None:
    assert _ended(SlowConsumer(), PeerGone()) is None


def test_what_nobody_expected_comes_first_and_is_logged() -> None:
    with capture_logs() as logs:
        ending = _ended(PeerGone(), ZeroDivisionError("a fault of ours"))
    assert ending is not None
    assert ending.end.reason is EndReason.INTERNAL
    assert [(line["event"], line["session_id"]) for line in logs] == [("connection_failed", SESSION)]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


def test_groups_in_groups_are_looked_through() -> None:
    inner = ExceptionGroup("inner", [EndConnection(EndReason.IDLE, "idle_timeout", "no audio")])
    ending = what_ended(ExceptionGroup("outer", [inner]), SESSION)
    assert ending is not None
    assert ending.end.reason is EndReason.IDLE


def test_an_error_of_ours_has_its_own_end() -> None:
    ending = _ended(BusUnavailable("Redis does not answer"))
    assert ending is not None
    assert ending.trouble is not None
    assert ending.trouble.code == "bus_unavailable"


def test_a_slow_client_is_one() -> None:
    ending = _ended(SlowConsumer())
    assert ending is not None
    assert ending.end.reason is EndReason.SLOW_CONSUMER
