"""The core's saved state, and sessions that move between gateways of two builds."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.session.segmenter import Position
from gateway.session.snapshot import CoreSnapshot, Flight, decode_snapshot, encode_snapshot
from shared.bus.ports import SessionRecord
from shared.errors import BadRequest, StateLost
from shared.protocol import codec
from shared.protocol.segments import LoggedResult
from shared.recitation.grading.policy import DEFAULT
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import VerseRange, load_passage
from tests.memory.bus_state import StoredSession
from tests.unit.gateway import speech
from tests.unit.gateway.harness import world

GOLDEN = Path(__file__).parents[3] / "golden" / "snapshots" / "session_before.json"
"""A session of a build before: its record and its results as they lay in Redis, and what its client saw."""

SNAPSHOT = CoreSnapshot(
    position=Position(40_000, 8_000, 32_000, 40_000, 1),
    flights=(Flight(0, 0, 40_000),),
    log_offset=0,
    answered_until=0,
    floor_seq=0,
    audio_start=0,
    interpreter=b"state",
)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x91\x01", b"\x90"])
def test_a_damaged_snapshot_is_lost_state(data: bytes) -> None:
    with pytest.raises(StateLost):
        decode_snapshot(data)


def test_a_snapshot_of_a_far_build_is_lost_state_with_its_version() -> None:
    with pytest.raises(StateLost, match="version 9"):
        decode_snapshot(encode_snapshot(msgspec.structs.replace(SNAPSHOT, v=9)))


def test_fields_that_a_newer_build_has_added_are_ignored() -> None:
    fields: list[Any] = msgspec.msgpack.decode(encode_snapshot(SNAPSHOT))
    position, flights, *others = fields
    newer = [[*position, "more"], [[*flight, 7] for flight in flights], *others, {"more": 1}]
    assert decode_snapshot(msgspec.msgpack.encode(newer)) == SNAPSHOT


def test_the_state_of_the_words_is_read_across_builds_too() -> None:
    passage = load_passage(VerseRange.parse("112:1-4"))
    saved = Follower(passage).snapshot()
    fields: list[Any] = msgspec.msgpack.decode(saved)
    newer = Follower.restore(passage, DEFAULT, msgspec.msgpack.encode([*fields, "more"]))
    assert newer.snapshot() == saved
    with pytest.raises(BadRequest, match="version 9"):
        Follower.restore(passage, DEFAULT, msgspec.msgpack.encode([9, *fields[1:]]))


async def test_a_session_of_the_build_before_goes_on_where_it_was() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    saved = golden["record"] | {"core": base64.b64decode(golden["record"]["core"])}
    saved["subject"] = saved.pop("passage")
    record = msgspec.convert(saved, SessionRecord)
    results = [codec.decode_result(base64.b64decode(result)) for result in golden["results"]]
    async with world() as w:
        stored = StoredSession(record, w.bus.expiry(), top=len(results))
        stored.results = [LoggedResult(offset, result) for offset, result in enumerate(results, 1)]
        stored.offsets = {logged.result.seq: logged.offset for logged in stored.results}
        w.bus.sessions[record.session_id] = stored
        client = w.gateway().connect(
            session_id=record.session_id, last_seq=golden["last_seq"], offset=golden["offset"]
        )
        ready = await client.until("ready")
        assert ready["resumed"] is True
        pcm = speech.recite(range(29))
        await client.stream(pcm[2 * ready["offset"] :])
        await client.send("end")
        assert (await client.rest()).code == 1000
    last = client.of("partial_result")[-1]["word_feedback"]
    assert client.seqs == list(range(golden["last_seq"] + 1, golden["last_seq"] + 1 + len(client.seqs)))
    assert {word["status"] for word in last} == {"correct"}, "what was judged before must not be lost"
    assert "correct" in golden["statuses"]
