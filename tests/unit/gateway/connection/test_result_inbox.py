"""Results wait for their driver, within a bound."""

from __future__ import annotations

from gateway.connection.result_inbox import ResultInbox
from shared.ids import ConnectionId, Epoch, SessionId, TraceId
from shared.protocol.segments import LoggedResult, SegmentResult, Takeover


def test_an_overfull_inbox_asks_for_the_log() -> None:
    inbox, woken = ResultInbox(ConnectionId("c1")), []
    inbox.connect(lambda: woken.append(1), lambda: None)
    result = SegmentResult(SessionId("s"), ConnectionId("c1"), Epoch("e"), 0, 0, 1, TraceId("t"), "result")
    for offset in range(1, 200):
        inbox.on_result(LoggedResult(offset, result))
    assert inbox.must_read_log
    assert len(inbox.take()) < 200
    assert len(woken) == 200


def test_a_takeover_before_the_driver_runs_is_not_lost() -> None:
    inbox, told = ResultInbox(ConnectionId("c1")), []
    inbox.on_takeover(Takeover(SessionId("s"), by=ConnectionId("c1")))
    inbox.on_takeover(Takeover(SessionId("s"), by=ConnectionId("c2")))
    inbox.connect(lambda: None, lambda: told.append("superseded"))
    assert told == ["superseded"]
