"""`/ws/stream`: what it reads, what it writes, how it finds clients that are gone, how it goes on."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import msgspec
import pytest

from gateway.connection.dialect import Command
from gateway.dialects.recite.commands import BadMessage
from gateway.dialects.stated_rate import UnsupportedSampleRate
from gateway.dialects.stream.client_messages import read_message
from gateway.dialects.stream.version import UnsupportedVersion, check_version
from shared.protocol.segments import Segment
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, World, eventually, world

WORDS = [0, 1, 2, 3, 4, 5, 6, 7]
LEFT_OUT = 3


def audio(pcm: bytes, **metadata: object) -> str:
    data = {"audio": base64.b64encode(pcm).decode()} | ({"metadata": metadata} if metadata else {})
    return json.dumps({"type": "audio", "data": data, "timestamp": 1.5})


async def say(client: Client, pcm: bytes) -> None:
    for start in range(0, len(pcm), 6400):
        await client.send(audio(pcm[start : start + 6400]))


def data_of(client: Client, kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in client.of(kind)]


def seqs(*clients: Client) -> list[int]:
    return [data["seq"] for client in clients for data in data_of(client, "result")]


# -- what it reads -----------------------------------------------------------------------------------------
def test_audio_comes_in_base64() -> None:
    assert list(read_message(audio(b"\1\2\3\4"))) == [b"\1\2\3\4"]
    assert list(read_message(audio(b"\1\2", sample_rate=16_000, device="phone"))) == [b"\1\2"]


@pytest.mark.parametrize(
    ("kind", "command"),
    [("flush", Command.FLUSH), ("end", Command.END), ("ping", Command.PING), ("pong", Command.PONG)],
)
def test_commands_need_no_data(kind: str, command: Command) -> None:
    assert list(read_message(json.dumps({"type": kind}))) == [command]
    assert list(read_message(json.dumps({"type": kind, "data": {}, "timestamp": 3}))) == [command]


def test_a_rate_that_is_not_ours_is_refused_wherever_it_stands() -> None:
    assert list(read_message('{"type":"metadata","data":{"device":"phone","sampleRate":16000}}')) == []
    with pytest.raises(UnsupportedSampleRate):
        read_message('{"type":"metadata","data":{"audio":{"sampleRate":44100}}}')
    with pytest.raises(UnsupportedSampleRate):
        read_message(audio(b"\1\2", sample_rate=8000))


@pytest.mark.parametrize(
    "text",
    [
        *("", "end", "[]", "{}", '{"type":"what"}', '{"type":"audio"}', "[" * 5000),
        *(
            '{"type":"audio","data":{}}',
            '{"type":"audio","data":{"audio":"?"}}',
            '{"type":"metadata","data":1}',
        ),
    ],
)
def test_what_is_no_message_gets_a_sentence(text: str) -> None:
    with pytest.raises(BadMessage, match="a message is JSON such as"):
        read_message(text)


def test_every_minor_version_is_served_and_no_other_major_one() -> None:
    for stated in (None, "1", "1.0", " 1.7 "):
        check_version(stated)
    for stated in ("", "2.0", "1.0.0", "one", "1." + "0" * 50):
        with pytest.raises(UnsupportedVersion, match="X-Protocol-Version"):
            check_version(stated)


# -- a recitation --------------------------------------------------------------------------------------------
async def test_a_recitation_in_messages_of_one_shape() -> None:
    async with world() as w:
        client = w.gateway().stream([("X-Protocol-Version", "1.0")])
        await say(client, speech.recite(WORDS) + speech.silence(1.5))
        await client.send('{"type":"end"}')
        closed = await client.rest()
    assert closed.code == 1000
    assert all(set(event) == {"type", "data", "timestamp"} for event in client.events)
    assert all(isinstance(event["timestamp"], float) for event in client.events)
    ready = client.events[0]["data"]
    assert (client.events[0]["type"], ready["version"], ready["passage"]) == ("ready", "1.0", "1:1-7")
    assert seqs(client) == list(range(len(seqs(client))))
    assert client.events[-1]["type"] == "score"
    assert client.events[-1]["data"]["report"]["verse_range"] == "1:1-7"
    assert client.of("violation") == []
    last: dict[int, Any] = {
        word["index"]: word for data in data_of(client, "result") for word in data["words"]
    }
    assert [last[word]["status"] for word in WORDS] == ["correct"] * len(WORDS)


async def test_windows_are_of_5_s_share_half_a_second_and_silence_is_never_queued() -> None:
    async with world() as w:
        client = w.gateway().stream()
        await say(client, speech.recite(WORDS * 2) + speech.silence(4))
        await client.send('{"type":"end"}')
        await client.rest()
        seen = list(w.worker.seen)
    spoken_s = len(WORDS) * 2 * 0.5
    ends = [(one.start_sample + one.samples) / 16_000 for one in seen]
    assert max(ends) <= spoken_s + 0.3
    assert max(one.samples for one in seen) <= 5 * 16_000
    finals = [one for one in seen if one.priority == "final"]
    assert [later.start_sample for later in finals[1:]] == [
        one.start_sample + one.samples - 8000 for one in finals[:-1]
    ]
    assert [data["final"] for data in data_of(client, "result")] == [one.priority == "final" for one in seen]


async def test_a_mistake_is_told_once_and_before_the_recitation_ends() -> None:
    said = [word for word in range(12) if word != LEFT_OUT]
    async with world() as w:
        client = w.gateway().stream()
        await say(client, speech.recite(said))
        violation = (await client.until("violation"))["data"]
        assert client.of("score") == []
        await client.send('{"type":"end"}')
        await client.rest()
    assert len(client.of("violation")) == 1
    assert set(violation) == {"violation", "timestamp", "feedback"}
    assert violation["violation"]["index"] == LEFT_OUT
    assert violation["violation"]["status"] == "missing"
    assert violation["timestamp"] == pytest.approx(3 * 0.5, abs=0.1)
    assert violation["feedback"] == "This word was left out."


async def test_who_repeats_and_says_it_right_is_told_so() -> None:
    said = [*(word for word in range(9) if word != LEFT_OUT), *range(2, 12)]
    async with world() as w:
        client = w.gateway().stream()
        await say(client, speech.recite(said))
        await client.send('{"type":"end"}')
        await client.rest()
    assert [data["violation"]["index"] for data in data_of(client, "violation")] == [LEFT_OUT]
    corrected = [data["violation"] for data in data_of(client, "correction")]
    assert [(word["index"], word["status"]) for word in corrected] == [(LEFT_OUT, "correct")]


async def test_what_only_the_end_makes_certain_comes_before_the_score() -> None:
    """The word before the last one is left out: until the end the reciter may yet say it."""
    async with world() as w:
        client = w.gateway().stream()
        await say(client, speech.recite([0, 1, 2, 3, 5]) + speech.silence(2))
        await client.send('{"type":"end"}')
        await client.rest()
    kinds = [event["type"] for event in client.events]
    assert [data["violation"]["index"] for data in data_of(client, "violation")] == [4]
    assert kinds[-2:] == ["violation", "score"]


async def test_without_interim_results_only_whole_windows_are_looked_at() -> None:
    async with world() as w:
        client = w.gateway().stream(interim_results="false")
        await say(client, speech.recite(WORDS * 2))
        await client.send('{"type":"end"}')
        await client.rest()
    assert all(data["final"] for data in data_of(client, "result"))
    assert len(seqs(client)) == 2


async def test_phonemes_have_times_of_the_session() -> None:
    from shared.hearing import Phone

    def hear(segment: Segment) -> Any:
        heard = speech.listen(segment)
        return msgspec.structs.replace(heard, phones=(Phone("b", 100, 180, 0.91234),))

    async with world(hear) as w:
        client = w.gateway().stream()
        await say(client, speech.silence(3) + speech.recite([0, 1]) + speech.silence(1))
        await client.send('{"type":"end"}')
        await client.rest()
        (first, *_) = w.worker.seen
    result = data_of(client, "result")[0]
    start = first.start_sample / 16_000
    assert result["start_time"] == pytest.approx(start, abs=0.001)
    assert result["end_time"] == pytest.approx(start + first.samples / 16_000, abs=0.001)
    assert start > 2
    (phoneme,) = result["phonemes"]
    assert phoneme["start_time"] == pytest.approx(start + 0.1, abs=0.001)
    assert (phoneme["phoneme"], phoneme["confidence"]) == ("b", 0.912)


# -- versions, refusals --------------------------------------------------------------------------------------
async def test_another_version_is_refused_with_a_code() -> None:
    async with world() as w:
        client = w.gateway().stream([("X-Protocol-Version", "2.0")])
        closed = await client.rest()
    assert [data["code"] for data in data_of(client, "error")] == ["unsupported_version"]
    assert closed.code == 1008


async def test_more_connections_than_max_connections_are_refused_and_others_are_not() -> None:
    async with world() as w:
        gateway = w.gateway(max_stream_connections=1)
        first = gateway.stream()
        ready = await first.until("ready")
        second = gateway.stream()
        closed = await second.rest()
        other = gateway.connect()
        await other.until("ready")
        again = gateway.stream(session_id=ready["data"]["session_id"])
        await again.until("ready")  # the newer connection of a session takes its place
        await first.rest()
    assert [data["code"] for data in data_of(second, "error")] == ["no_capacity"]
    assert data_of(second, "error")[0]["retry_after_s"] > 0
    assert closed.code == 4013


# -- pings ---------------------------------------------------------------------------------------------------
async def test_a_client_that_answers_no_ping_is_closed_with_its_own_code() -> None:
    async with world() as w:
        client = w.gateway(ping_s=0.1, pong_s=0.3).stream()
        closed = await client.rest()
    assert len(client.of("ping")) >= 2
    assert [data["code"] for data in data_of(client, "error")] == ["no_pong"]
    assert closed.code == 4012


async def test_a_client_that_answers_stays() -> None:
    async with world() as w:
        client = w.gateway(ping_s=0.1, pong_s=0.3).stream()
        for _ in range(6):
            await client.until("ping")
            await client.send('{"type":"pong","data":{},"timestamp":1}')
        await client.send('{"type":"ping"}')
        await client.until("pong")
        await client.leave()


# -- breaks --------------------------------------------------------------------------------------------------
async def _resumed(w: World, said: bytes, first: Client, second_at: Any) -> Client:
    """The second half of a recitation in another connection, from where `ready` says."""
    acked = max([data["offset"] for data in data_of(first, "ack")], default=0)
    session_id = data_of(first, "ready")[0]["session_id"]
    second: Client = second_at.stream(
        session_id=session_id, last_seq=max(seqs(first), default=-1), offset=acked
    )
    ready = (await second.until("ready"))["data"]
    assert ready["resumed"]
    await say(second, said[2 * ready["offset"] :])
    await second.send('{"type":"end"}')
    await second.rest()
    return second


async def test_a_resumed_recitation_has_every_result_and_every_mistake_once() -> None:
    said = speech.recite([word for word in range(16) if word not in (LEFT_OUT, 10)])
    async with world() as w:
        one, other = w.gateway(), w.gateway()
        whole = one.stream()
        await say(whole, said)
        await whole.send('{"type":"end"}')
        await whole.rest()
        first = one.stream()
        await say(first, said[: len(said) // 2])
        await first.until("violation")
        await first.leave()
        second = await _resumed(w, said, first, other)
    assert seqs(first, second) == list(range(len(seqs(first, second))))
    told = [data["violation"]["index"] for client in (first, second) for data in data_of(client, "violation")]
    assert told == [data["violation"]["index"] for data in data_of(whole, "violation")] == [LEFT_OUT, 10]
    assert second.of("score")


async def test_a_drain_answers_and_stores_all_that_came() -> None:
    """Nothing of it is to be sent again: a client that keeps no audio loses none."""
    said = speech.recite(WORDS)
    half = len(said) // 2
    async with world() as w:
        one, other = w.gateway(), w.gateway()
        first = one.stream()
        await say(first, said[:half])
        await first.until("result")
        await eventually(lambda: first._to_server.empty())
        draining = asyncio.create_task(one.ports.connections.drain(0))
        closed = await first.rest()
        await draining
        assert closed.code == 4001
        assert first.of("flushed")
        assert data_of(first, "ack")[-1]["offset"] == half // 2
        second = await _resumed(w, said, first, other)
    assert data_of(second, "ready")[0]["offset"] == half // 2
    assert seqs(first, second) == list(range(len(seqs(first, second))))
    assert first.of("violation") == second.of("violation") == []
