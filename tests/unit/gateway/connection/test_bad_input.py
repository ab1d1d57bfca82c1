"""Every kind of bad input ends in a named error or close code, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from shared.protocol.close_codes import IDLE, NO_CAPACITY, POLICY, TOO_BIG, TOO_LONG, UNAUTHORISED
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, World, eventually, stop, world


async def neighbour_recites(gateway: Gateway) -> Client:
    """Another session, from start to end; it must be as good as alone."""
    client = gateway.connect()
    await client.stream(speech.recite(range(10)))
    await client.send("end")
    assert (await client.rest()).code == 1000
    last = client.of("partial_result")[-1]["word_feedback"]
    assert [word["status"] for word in last[:10]] == ["correct"] * 10
    return client


async def refused(w: World, **query: Any) -> tuple[str, int, str]:
    """Error code, close code and reason of a connection that is not served."""
    client = w.gateway().connect(**query)
    closed = await client.rest()
    assert [event["type"] for event in client.events] == ["error"]
    return client.events[0]["code"], closed.code, closed.reason


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"surah": 115}, "unknown_verse"),
        ({"surah": 1, "ayah": 8, "to": None}, "unknown_verse"),
        ({"surah": 1, "ayah": 5, "to": 2}, None),
        ({"surah": 0}, "unknown_verse"),
        ({"surah": "one"}, "bad_request"),
        ({"surah": "١"}, "bad_request"),
        ({"ayah": "1.5"}, "bad_request"),
        ({"ayah": "-1"}, "bad_request"),
        ({"surah": None}, "bad_request"),
        ({"to": "9" * 40}, "bad_request"),
        ({"sample_rate": 44100}, "unsupported_sample_rate"),
        ({"sample_rate": "x"}, "unsupported_sample_rate"),
        ({"sampleRate": "48000"}, "unsupported_sample_rate"),
        ({"session_id": "a b"}, "bad_request"),
        ({"session_id": "{x}" * 5}, "bad_request"),
        ({"last_seq": "many", "session_id": "abcdefgh"}, "bad_request"),
        ({"offset": "-5", "session_id": "abcdefgh"}, "bad_request"),
        ({"window": "100"}, "bad_request"),
        ({"window": "nan"}, "bad_request"),
    ],
)
async def test_a_bad_address_is_closed_with_1008_and_a_reason(
    query: dict[str, Any], code: str | None
) -> None:
    async with world() as w:
        told, closed, reason = await refused(w, **query)
    assert closed == POLICY.code
    assert code is None or told == code
    assert reason.startswith(told)


async def test_a_passage_may_not_be_too_long() -> None:
    async with world() as w:
        client = w.gateway(max_passage_words=28).connect()
        assert (await client.rest()).code == POLICY.code
    assert client.events[-1]["code"] == "passage_too_long"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", "bad_message"),
        ("", "bad_message"),
        ("{", "bad_message"),
        ("[1,2]", "bad_message"),
        ("null", "bad_message"),
        ('{"type": 5}', "bad_message"),
        ('{"type": "dance"}', "bad_message"),
        ('{"kind": "end"}', "bad_message"),
        ('{"type": "end", "sample_rate": null, "x": }', "bad_message"),
        ('{"a":' + "[" * 4000, "bad_message"),
        ('{"a":' + "[" * 4000 + "]" * 4000 + "}", "bad_message"),
        ('{"a":' * 1600, "bad_message"),
        ("x" * 100_000, "bad_message"),
        ("\u0000\ud7ff", "bad_message"),
        (json.dumps({"type": {"a": [1] * 50}}), "bad_message"),
    ],
)
async def test_text_that_is_no_command_is_answered_and_the_session_goes_on(text: str, code: str) -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.until("ready")
        await client.send(text)
        error = await client.receive()
        assert (error["type"], error["code"]) == ("error", code)
        assert error["fallback"] == "Send audio as binary frames, and end, flush or ping as text"
        await client.stream(speech.recite(range(8)))
        await client.send("end")
        assert (await client.rest()).code == 1000
        assert client.events[-1]["type"] == "final_result"


async def test_too_many_bad_messages_close_the_connection() -> None:
    async with world() as w:
        gateway = w.gateway(max_bad_messages=3)
        client = gateway.connect()
        for _ in range(3):
            await client.send("garbage")
        closed = await client.rest()
        assert closed.code == POLICY.code
        assert len(client.of("error")) == 3
        await neighbour_recites(gateway)


async def test_a_wrong_sample_rate_claim_is_refused_also_later() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.send('{"type":"config","sample_rate":16000}')
        await client.send('{"type":"config","sample_rate":48000}')
        assert (await client.rest()).code == POLICY.code
        assert [event["code"] for event in client.of("error")] == ["unsupported_sample_rate"]


async def test_an_oversized_frame_is_closed_with_1009() -> None:
    async with world() as w:
        gateway = w.gateway(max_frame_bytes=16_000)
        client = gateway.connect()
        await client.send(bytes(16_001))
        assert (await client.rest()).code == TOO_BIG.code
        assert client.events[-1]["code"] == "frame_too_big"
        await neighbour_recites(gateway)


async def test_empty_and_odd_frames_change_nothing() -> None:
    pcm = speech.recite(range(10))
    async with world() as w:
        gateway = w.gateway()
        even, odd = gateway.connect(), gateway.connect()
        await even.stream(pcm)
        for start in range(0, len(pcm), 3333):
            await odd.send(b"")
            await odd.send(pcm[start : start + 3333])
        for client in (even, odd):
            await client.send("end")
            assert (await client.rest()).code == 1000
        verdicts = [client.of("partial_result")[-1]["word_feedback"] for client in (even, odd)]
        assert verdicts[0] == verdicts[1]
        heard = {segment.audio for segment in w.worker.seen if segment.seq == 0}
        assert len(heard) == 1


async def test_a_client_that_never_reads_is_closed_as_slow() -> None:
    async with world() as w:
        gateway = w.gateway(outbox_bytes=20_000, send_timeout_s=0.05)
        client = gateway.connect()
        await client.until("ready")
        client.reads.clear()
        await client.send('{"type":"ping"}')
        await eventually(lambda: gateway.ports.connections.count == 0)
        await neighbour_recites(gateway)
        closes = gateway.ports.metrics.registry.get_sample_value(
            "rattil_gateway_closes_total", {"reason": "slow_consumer"}
        )
    assert closes == 1


async def test_faster_than_real_time_is_slowed_down_not_dropped() -> None:
    pcm = speech.recite(list(range(29)) * 3)
    async with world() as w:
        w.worker.working.clear()
        gateway = w.gateway(max_buffer_s=10)
        client = gateway.connect()
        sending = asyncio.create_task(client.stream(pcm))
        busy = await client.until("error")
        assert busy["code"] == "server_busy"
        assert not sending.done()
        held = gateway.ports.metrics.registry.get_sample_value("rattil_gateway_audio_seconds_total")
        assert held is not None
        assert held < 20
        await neighbour_is_ready(gateway)
        w.worker.working.set()
        await sending
        await client.send("end")
        assert (await client.rest()).code == 1000
    assert client.of("ack")[-1]["offset"] == len(pcm) // 2
    assert client.seqs == list(range(len(client.seqs)))
    assert any(event["server_busy"] for event in client.of("partial_result"))


async def neighbour_is_ready(gateway: Gateway) -> None:
    client = gateway.connect()
    await client.until("ready")
    await client.leave()


async def test_audio_far_above_real_time_is_named_and_paced() -> None:
    async with world() as w:
        gateway = w.gateway(audio_rate=100, audio_burst_s=1)
        client = gateway.connect()
        await client.stream(speech.recite(range(20)))
        await client.send("end")
        assert (await client.rest()).code == 1000
    assert "audio_too_fast" in {event["code"] for event in client.of("error")}


async def test_a_client_that_goes_silent_is_closed_as_idle_and_may_resume() -> None:
    async with world() as w:
        gateway = w.gateway(idle_timeout_s=0.1)
        client = gateway.connect()
        closed = await client.rest()
        assert closed.code == IDLE.code
        assert client.events[-1]["code"] == "idle_timeout"
        session_id = client.events[0]["session_id"]
        again = w.gateway().connect(session_id=session_id, last_seq=-1, offset=0)
        assert (await again.until("ready"))["resumed"] is True


@pytest.mark.parametrize("sign", ["config", "flush", "ping", '{"type":"config"}', b"", b"\0" * 3])
async def test_only_audio_keeps_a_connection(sign: str | bytes) -> None:
    async with world() as w:
        client = w.gateway(idle_timeout_s=0.3, first_audio_s=0.3).connect()

        async def pretend() -> None:
            for _ in range(10_000):
                await client.send(sign)
                await asyncio.sleep(0.05)

        pretending = asyncio.create_task(pretend())
        closed = await client.rest()
        await stop([pretending])
    assert closed.code == IDLE.code


async def test_a_connection_without_any_audio_is_closed_sooner() -> None:
    async with world() as w:
        gateway = w.gateway(idle_timeout_s=3600, first_audio_s=0.1)
        silent = gateway.connect()
        assert (await silent.rest()).code == IDLE.code
        assert silent.events[-1]["message"].startswith("no audio for 0.1 s")


async def test_text_is_bounded_in_bytes() -> None:
    async with world() as w:
        client = w.gateway(max_text_bytes=64).connect()
        await client.until("ready")
        await client.send("ب" * 33)
        assert "at most 64 bytes" in (await client.until("error"))["message"]
        await client.send(" " * 61 + "end")
        await client.rest()
        assert client.events[-1]["code"] == "no_audio"


async def test_frames_far_too_many_are_named_and_paced() -> None:
    async with world() as w:
        client = w.gateway(frames_per_s=10).connect()
        for _ in range(60):
            await client.send(b"")
        assert (await client.until("error"))["code"] == "audio_too_fast"
        await client.send("end")
        assert (await client.rest()).code == 1000


async def test_an_address_holds_only_so_many_sessions() -> None:
    async with world() as w:
        gateway = w.gateway(max_sessions_per_address=1)
        first = gateway.connect()
        session_id = (await first.until("ready"))["session_id"]
        second = gateway.connect()
        assert (await second.rest()).code == NO_CAPACITY.code
        assert second.events[-1]["code"] == "too_many_sessions"
        again = gateway.connect(session_id=session_id, offset=0, last_seq=-1)
        await again.until("ready")
        counted = gateway.ports.metrics.registry.get_sample_value
        assert counted("rattil_gateway_refusals_total", {"code": "too_many_sessions"}) == 1
        assert counted("rattil_gateway_bad_messages_total", {"code": "too_many_sessions"}) is None


async def test_silence_is_stored_and_acked_but_never_decoded() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.connect()
        await client.stream(speech.silence(20))
        await client.send("end")
        assert (await client.rest()).code == 1000
        assert w.worker.seen == []
    assert client.of("ack")[-1]["offset"] == 20 * 16000
    assert client.events[-1]["type"] == "final_result"


async def test_an_end_without_audio_is_a_final_error_with_a_hint() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.send("end")
        assert (await client.rest()).code == 1000
        assert w.batch.asked == []
    error = client.events[-1]
    assert (error["type"], error["code"]) == ("final_result_error", "no_audio")
    assert error["fallback"].startswith("Use POST /verify with full audio")


async def test_a_session_may_not_grow_for_ever() -> None:
    async with world() as w:
        client = w.gateway(max_session_s=3).connect()
        await client.stream(speech.silence(4))
        assert (await client.rest()).code == TOO_LONG.code
    assert [event["code"] for event in client.of("error")] == ["session_too_long"]


async def test_an_api_key_is_needed_where_keys_are_configured() -> None:
    async with world() as w:
        gateway = w.gateway(api_keys="acme=s3cret")
        stranger = gateway.connect()
        assert (await stranger.rest()).code == UNAUTHORISED.code
        assert stranger.events[-1]["code"] == "unauthorised"
        for how in ({"token": "s3cret"}, {}):
            headers = [] if how else [("Authorization", "Bearer s3cret")]
            friend = gateway.connect(headers, **how)
            await friend.until("ready")
            await friend.leave()


async def test_a_foreign_origin_is_not_accepted() -> None:
    async with world() as w:
        gateway = w.gateway(allowed_origins="https://ours.example")
        assert (await gateway.connect([("Origin", "https://theirs.example")]).rest()).code == POLICY.code
        friend = gateway.connect([("Origin", "https://ours.example")])
        await friend.until("ready")


async def test_pings_are_answered() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.send('{"type":"ping"}')
        assert (await client.until("pong")) == {"type": "pong"}


async def test_ready_is_the_first_event_whatever_the_client_has_sent_already() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.send("hello")
        await client.send("ping")
        await client.send("end")
        await client.rest()
    assert [event["type"] for event in client.events[:3]] == ["ready", "error", "pong"]
