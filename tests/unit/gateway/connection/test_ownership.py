"""Who has a session when Redis comes back older, and when many ask for one at once."""

from __future__ import annotations

import asyncio

import pytest

from gateway.admission.router_client import OpenAdmission
from gateway.connection import segment_writer
from shared.bus.ports import UNSEEN, AudioChunk, HighWater, SessionRecord
from shared.errors import StateLost
from shared.protocol.close_codes import STATE_LOST, SUPERSEDED
from shared.protocol.segments import Segment
from tests.memory.bus import MemoryResultFeed, MemorySessionStore
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, eventually, world

PCM = speech.recite(range(29))
HALF = len(PCM) // 4 * 2


async def test_of_ten_connections_with_one_unknown_id_exactly_one_survives() -> None:
    async with world() as w:
        gateways = [w.gateway(), w.gateway()]
        clients = [gateways[number % 2].connect(session_id="nobody-knows-it") for number in range(10)]
        await eventually(lambda: sum(client.task.done() for client in clients) == 9)
        [survivor] = [client for client in clients if not client.task.done()]
        for client in clients:
            if client is not survivor:
                assert (await client.rest()).code == SUPERSEDED.code
        await survivor.stream(PCM)
        await survivor.send("end")
        assert (await survivor.rest()).code == 1000
    assert survivor.events[-1]["type"] == "final_result"


async def test_a_store_that_comes_back_older_costs_a_stated_gap_and_no_hang() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.stream(PCM[: HALF // 2])
        await client.until("ack")
        saved = w.bus.save()
        await client.stream(PCM[HALF // 2 : HALF])
        await client.until("ack")
        await eventually(lambda: not any(w.bus.streams.values()))
        w.bus.roll_back(saved)
        await client.stream(PCM[HALF:])
        await client.send("end")
        assert (await client.rest()).code == 1000
    told = [event for event in client.of("error") if event.get("gap")]
    assert [event["code"] for event in told] == ["state_lost"]
    assert client.seqs == list(range(len(client.seqs)))
    report = client.events[-1]["result"]
    assert report["judged"] == "live", "a report on what is still stored would be silently wrong"
    assert report["counts"]["missing"] == 0, "what was lost was not left out"


async def test_the_successor_of_a_connection_in_an_old_snapshot_goes_on() -> None:
    async with world() as w:
        gateway = w.gateway()
        first = gateway.connect()
        await first.stream(PCM[:HALF])
        await first.send("flush")
        while (await first.until("ack"))["offset"] < HALF // 2:
            pass
        await eventually(lambda: not any(w.bus.streams.values()))
        await first.drained()
        saved = w.bus.save()
        second = resumed(gateway, first)
        ready = await second.until("ready")
        w.bus.roll_back(saved)
        await second.stream(PCM[2 * ready["offset"] :])
        await second.send("end")
        assert (await second.rest()).code == 1000
    assert second.of("error") == [], "nothing was lost but who owns it"
    assert second.events[-1]["type"] == "final_result"


async def test_a_store_that_loses_the_session_again_and_again_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segment_writer, "_LOSS_PAUSE_S", 0.001)

    class Forgetful(MemorySessionStore):
        pushes = 0

        async def push(
            self,
            record: SessionRecord,
            segment: Segment | None,
            audio: AudioChunk | None,
            seen: HighWater = UNSEEN,
        ) -> None:
            self.pushes += 1
            raise StateLost("gone")

    async with world() as w:
        store = Forgetful(w.bus)
        gateway = Gateway(store, MemoryResultFeed(w.bus), w.batch, OpenAdmission())
        w.gateways.append(gateway)
        client = gateway.connect()
        sending = asyncio.create_task(client.stream(PCM))
        assert (await client.rest()).code == STATE_LOST.code
        sending.cancel()
    assert store.pushes == 5


def resumed(gateway: Gateway, before: Client) -> Client:
    return gateway.connect(
        session_id=before.events[0]["session_id"],
        last_seq=max(before.seqs, default=-1),
        offset=max((event["offset"] for event in before.of("ack")), default=0),
    )
