"""`/ws/verify`, for clients that know no other dialect: paced partial results, then the report."""

from __future__ import annotations

import json
from typing import Any

from gateway.dialects.recite.commands import Command
from gateway.dialects.verify.dialect import VerifyDialect, window_s
from gateway.session.events import AudioSafe, Finished, Heard, Latency, Opened, Pong, SegmentFailed
from gateway.settings import GatewaySettings
from shared.clock import ManualClock
from shared.ids import ConnectionId, Epoch, SessionId
from shared.recitation.live.feedback import Feedback
from shared.recitation.reference.passage import VerseRange, load_passage
from tests.integration.edge import edge
from tests.unit.gateway.harness import Client, report_on


def heard(seq: int, transcript: str) -> Heard:
    return Heard(seq, Feedback((), transcript), transcript, Latency(1, 1, 1, 1), server_busy=False)


def test_partial_results_come_at_most_once_per_interval() -> None:
    clock = ManualClock()
    dialect = VerifyDialect(clock, interval_s=1.0)
    first = dialect.write(heard(0, "a"))
    clock.advance(0.5)
    too_soon = dialect.write(heard(1, "a b"))
    clock.advance(0.5)
    later = dialect.write(heard(2, "a b c"))
    assert json.loads(first or "") == {"type": "partial_result", "transcribed": "a", "status": "listening"}
    assert too_soon is None
    assert json.loads(later or "")["transcribed"] == "a b c"


def test_after_the_end_it_is_processing() -> None:
    dialect = VerifyDialect(ManualClock(), interval_s=1.0)
    assert dialect.read("stop") is Command.END
    assert json.loads(dialect.write(heard(0, "a")) or "")["status"] == "processing"


def test_what_old_clients_do_not_know_is_not_sent() -> None:
    dialect = VerifyDialect(ManualClock(), interval_s=1.0)
    passage = load_passage(VerseRange.of(112, 1))
    opened = Opened(
        SessionId("s"), ConnectionId("c"), Epoch("e"), passage, 2.5, resumed=False, next_seq=0, offset=0
    )
    assert dialect.write(opened) is None
    assert dialect.write(AudioSafe(5)) is None


def test_results_failures_and_pongs_are_those_of_the_recitation_dialect() -> None:
    dialect = VerifyDialect(ManualClock(), interval_s=1.0)
    final = json.loads(dialect.write(Finished(report_on("112:1"))) or "")
    failed = json.loads(dialect.write(SegmentFailed(3, "error", "asr_failed", "x")) or "")
    assert (final["type"], len(final["result"]["word_analysis"])) == ("final_result", 4)
    assert (failed["type"], failed["code"]) == ("error", "asr_failed")
    assert json.loads(dialect.write(Pong()) or "") == {"type": "pong"}


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
        await client.stream(bytes([9, 3]) * 16_000 * 4)
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
