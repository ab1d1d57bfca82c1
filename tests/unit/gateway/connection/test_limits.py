"""The limits of a session act like its end: what was accepted is judged, the report comes, then the close."""

from __future__ import annotations

from shared.protocol.close_codes import TOO_LONG
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, eventually, world

PCM = speech.recite(range(16))
RATE = 16_000


def assert_ended_like_an_end(client: Client, code: int) -> None:
    kinds = [event["type"] for event in client.events]
    assert code == TOO_LONG.code
    assert kinds[-1] == "final_result"
    assert [event["code"] for event in client.of("error")] == ["session_too_long"]
    assert client.seqs == list(range(len(client.seqs)))


async def test_at_the_length_limit_everything_accepted_is_judged() -> None:
    async with world() as w:
        w.worker.working.clear()
        client = w.gateway(max_session_s=5).connect()
        ready = await client.until("ready")
        assert ready["max_session_seconds"] == 5
        await client.stream(PCM[: 6 * RATE * 2])
        await client.until("error")
        w.worker.working.set()
        assert_ended_like_an_end(client, (await client.rest()).code)
    assert client.of("ack")[-1]["offset"] == 5 * RATE
    assert len(client.of("partial_result")) == len(w.worker.seen) > 0


async def test_a_recording_of_exactly_the_limit_ends_normally() -> None:
    async with world() as w:
        client = w.gateway(max_session_s=5).connect()
        await client.stream(PCM[: 5 * RATE * 2])
        await client.send("end")
        assert (await client.rest()).code == 1000
    assert client.of("error") == []


async def test_at_the_connection_limit_everything_accepted_is_judged() -> None:
    async with world() as w:
        client = w.gateway(max_connection_s=1).connect()
        await client.stream(PCM[: 4 * RATE * 2])
        assert_ended_like_an_end(client, (await client.rest()).code)
    assert client.of("ack")[-1]["offset"] == 4 * RATE


async def test_what_can_be_kept_for_the_report_bounds_the_session() -> None:
    async with world() as w:
        gateway = w.gateway(bus_max_audio_bytes=100_000)
        client = gateway.connect()
        assert (await client.until("ready"))["max_session_seconds"] == 3
        await client.stream(PCM[: 4 * RATE * 2])
        assert_ended_like_an_end(client, (await client.rest()).code)


async def test_the_end_of_a_session_deletes_what_is_stored_of_it() -> None:
    async with world() as w:
        client = w.gateway(session_end_grace_s=0).connect()
        await client.stream(PCM[: 4 * RATE * 2])
        await client.send("end")
        assert (await client.rest()).code == 1000
        assert w.bus.sessions == {}


async def test_a_client_that_missed_the_last_event_gets_it_again_within_the_grace() -> None:
    async with world() as w:
        gateway = w.gateway(session_end_grace_s=60)
        first = gateway.connect()
        await first.stream(PCM[: 4 * RATE * 2])
        await first.send("end")
        await first.rest()
        [stored] = w.bus.sessions.values()
        assert stored.keep_s == 60
        again = gateway.connect(
            session_id=first.events[0]["session_id"], last_seq=max(first.seqs), offset=4 * RATE
        )
        assert (await again.rest()).code == 1000
        assert again.events[-1] == first.events[-1]
        await eventually(lambda: gateway.ports.connections.count == 0)
        assert stored.expires_s - w.bus.clock.monotonic() <= 60


async def test_too_fast_is_said_once() -> None:
    async with world() as w:
        client = w.gateway(audio_burst_s=1, audio_rate=20).connect()
        await client.stream(PCM)
        await client.send("end")
        await client.rest()
    assert [event["code"] for event in client.of("error")] == ["audio_too_fast"]
