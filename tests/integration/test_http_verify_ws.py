"""`/ws/verify`, for clients that know no other dialect: paced partial results, then the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gateway.connection.dialect import Command, Frame
from gateway.dialects.verify.dialect import VerifyDialect, window_s
from gateway.interpreters.recitation.interpreter import WordStates
from gateway.session.events import AudioSafe, Finished, Heard, Latency, Opened, Pong, SegmentFailed
from gateway.settings import GatewaySettings
from shared.clock import ManualClock
from shared.ids import ConnectionId, Epoch, SessionId
from shared.recitation.live.feedback import Feedback
from tests.integration.edge import edge
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, report_on


def heard(seq: int, transcript: str) -> Heard:
    finding = WordStates(Feedback((), transcript), transcript)
    return Heard(seq, finding, Latency(1, 1, 1, 1), server_busy=False)


def the_one(frames: Sequence[Frame]) -> Any:
    (frame,) = frames
    return json.loads(frame)


def test_partial_results_come_at_most_once_per_interval() -> None:
    clock = ManualClock()
    dialect = VerifyDialect(clock, interval_s=1.0)
    first = dialect.write(heard(0, "a"))
    clock.advance(0.5)
    too_soon = dialect.write(heard(1, "a b"))
    clock.advance(0.5)
    later = dialect.write(heard(2, "a b c"))
    assert the_one(first) == {"type": "partial_result", "transcribed": "a", "status": "listening"}
    assert too_soon == ()
    assert the_one(later)["transcribed"] == "a b c"


def test_after_the_end_it_is_processing() -> None:
    dialect = VerifyDialect(ManualClock(), interval_s=1.0)
    assert dialect.read("stop") == (Command.END,)
    assert the_one(dialect.write(heard(0, "a")))["status"] == "processing"


def test_what_old_clients_do_not_know_is_not_sent() -> None:
    dialect = VerifyDialect(ManualClock(), interval_s=1.0)
    opened = Opened(SessionId("s"), ConnectionId("c"), Epoch("e"), 2.5, resumed=False, next_seq=0, offset=0)
    assert dialect.write(opened) == ()
    assert dialect.write(AudioSafe(5)) == ()


def test_results_failures_and_pongs_are_those_of_the_recitation_dialect() -> None:
    dialect = VerifyDialect(ManualClock(), interval_s=1.0)
    final = the_one(dialect.write(Finished(report_on("112:1"))))
    failed = the_one(dialect.write(SegmentFailed(3, "error", "asr_failed", "x")))
    assert (final["type"], len(final["result"]["word_analysis"])) == ("final_result", 4)
    assert (failed["type"], failed["code"]) == ("error", "asr_failed")
    assert the_one(dialect.write(Pong())) == {"type": "pong"}


def settings(**overrides: Any) -> GatewaySettings:
    return GatewaySettings(**overrides)


def test_windows_advance_by_the_threshold_within_the_bounds_of_all_windows() -> None:
    assert window_s(settings(buffer_threshold=48_000)) == 1.5 + 0.5
    assert window_s(settings(buffer_threshold=3_200)) == 1.0
    assert window_s(settings(buffer_threshold=4_000_000)) == 5.0


async def test_a_recitation_from_frames_to_report() -> None:
    async with edge(partial_interval_s=0.1) as running:
        client = Client(running.app, "/ws/verify?surah=112&ayah=1&to=4")
        running.gateway.clients.append(client)
        await client.stream(speech.recite(range(8)))
        await client.send("end")
        closed = await client.rest()
    assert closed.code == 1000
    assert client.events[-1]["type"] == "final_result"
    assert {event["type"] for event in client.events} <= {"partial_result", "final_result"}
    assert client.of("partial_result")


async def test_a_wrong_verse_is_refused_by_name() -> None:
    async with edge() as running:
        client = Client(running.app, "/ws/verify?surah=112&ayah=9")
        running.gateway.clients.append(client)
        closed = await client.rest()
    assert closed.code == 1008
    assert client.events[-1]["code"] == "unknown_verse"


async def test_other_paths_are_refused_not_crashed() -> None:
    async with edge() as running:
        client = Client(running.app, "/ws/nothing")
        running.gateway.clients.append(client)
        assert (await client.rest()).code == 1008
