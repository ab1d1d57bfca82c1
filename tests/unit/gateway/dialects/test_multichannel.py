"""`multichannel=true`: each channel of a live transcription is a session of its own, also for Deepgram's
clients."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, eventually, world

LEFT_WORDS, RIGHT_WORDS = [0, 1, 2], [10, 11, 12, 13]
LEFT = speech.recite(LEFT_WORDS) + speech.silence(1.5)
RIGHT = speech.silence(1.2) + speech.recite(RIGHT_WORDS) + speech.silence(1.0)


def said(words: list[int]) -> str:
    return " ".join(speech.FATIHA.words[word].display for word in words)


def stereo(left: bytes = LEFT, right: bytes = RIGHT) -> bytes:
    longest = max(len(left), len(right))
    both = [np.frombuffer(one.ljust(longest, b"\0"), "<i2") for one in (left, right)]
    return np.stack(both, axis=1).tobytes()


def of_channel(client: Client, channel: int, kind: str) -> list[dict[str, Any]]:
    return [event for event in client.of(kind) if event.get("channel") == channel]


async def test_each_channel_has_its_own_transcript() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.transcribe(language="ar", channels=2, multichannel="true", word_timestamps="true")
        await client.stream(stereo(), frame_bytes=6401)  # frames may end within a sample
        await client.send("ping")
        await client.send('{"type":"end"}')
        closed = await client.rest()
        assert gateway.ports.connections.count == 0
    assert closed.code == 1000
    for channel, words in enumerate((LEFT_WORDS, RIGHT_WORDS)):
        [begun], [end] = (
            of_channel(client, channel, "session.begin"),
            of_channel(client, channel, "session.end"),
        )
        assert end["transcript"] == said(words)
        assert [final["text"] for final in of_channel(client, channel, "transcript.final")] == [said(words)]
        assert of_channel(client, channel, "ack")[-1]["offset"] == len(stereo()) // 4
        assert begun["sample_rate"] == 16_000
    sessions = {event["session_id"] for event in client.of("session.begin")}
    assert len(sessions) == 2
    first_of_right = of_channel(client, 1, "transcript.final")[0]
    assert first_of_right["start"] >= 0.8, "times are those of the recording"
    assert len(client.of("pong")) == 1


async def test_channels_are_mixed_unless_they_are_to_be_kept_apart() -> None:
    async with world() as w:
        client = w.gateway().transcribe(language="ar", channels=2)
        await client.stream(stereo(LEFT, LEFT))
        await client.send("end")
        await client.rest()
    assert client.events[-1]["transcript"] == said(LEFT_WORDS)
    assert not any("channel" in event for event in client.events)


async def test_a_bad_message_is_told_once_and_all_channels_go_on() -> None:
    async with world() as w:
        client = w.gateway().transcribe(language="ar", channels=2, multichannel="true")
        await client.send("what")
        await client.stream(stereo())
        await client.send("end")
        assert (await client.rest()).code == 1000
    assert [event["code"] for event in client.of("warning")] == ["bad_message"]
    assert {str(event["transcript"]) for event in client.of("session.end")} == {
        said(LEFT_WORDS),
        said(RIGHT_WORDS),
    }


async def test_without_a_model_of_voices_they_are_not_told_apart_and_that_is_said() -> None:
    async with world() as w:
        gateway = w.gateway()
        own, deepgram = gateway.transcribe(diarize="true"), gateway.listen(diarize="true")
        assert (await own.rest()).code == 1008
        assert (await deepgram.rest()).code == 1008
        off = gateway.transcribe(language="ar", diarize="false")
        await off.until("session.begin")
    assert own.events[-1]["code"] == "diarization_unavailable"
    assert "SPEAKER_MODEL is not set" in own.events[-1]["message"]
    assert deepgram.events[-1]["variant"] == "diarization_unavailable"


async def test_with_one_they_are_told_apart_in_whole_recordings_only() -> None:
    async with world() as w:
        gateway = w.gateway(speaker_model="bundled")
        own, deepgram = gateway.transcribe(diarize="true"), gateway.listen(diarize="true")
        assert (await own.rest()).code == 1008
        assert (await deepgram.rest()).code == 1008
    assert own.events[-1]["code"] == "diarization_unavailable"
    assert "enhance_on_end=true" in own.events[-1]["message"]
    assert "live" in deepgram.events[-1]["description"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"encoding": "webm_opus"}, "needs PCM or G.711"),
        ({"channels": 2, "session_id": "a-session-of-mine"}, "cannot be resumed"),
    ],
)
async def test_what_cannot_be_kept_apart_is_refused(asked: dict[str, Any], why: str) -> None:
    async with world() as w:
        client = w.gateway().transcribe(multichannel="true", **asked)
        assert (await client.rest()).code == 1008
    assert why in client.events[-1]["message"]


async def test_a_channel_that_finds_no_place_ends_the_socket() -> None:
    async with world() as w:
        gateway = w.gateway(ws_max_connections=1)
        client = gateway.transcribe(language="ar", channels=2, multichannel="true")
        assert (await client.rest()).code == 4013
        assert [event["code"] for event in client.of("error")] == ["no_capacity"]
        await eventually(lambda: gateway.ports.connections.count == 0)


async def test_a_client_that_leaves_ends_every_channel() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.transcribe(language="ar", channels=2, multichannel="true")
        await client.stream(stereo())
        await client.until("transcript.final")
        assert gateway.ports.connections.count == 2
        await client.leave()
        await eventually(lambda: gateway.ports.connections.count == 0)


async def test_a_drain_answers_every_channel_before_it_closes() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.transcribe(language="ar", channels=2, multichannel="true")
        await client.stream(stereo())
        await eventually(lambda: len(client.events) + client._from_server.qsize() > 4)
        await gateway.ports.connections.drain(0.0)
        assert (await client.rest()).code == 4001
    assert {str(event["transcript"]) for event in client.of("session.end")} == {
        said(LEFT_WORDS),
        said(RIGHT_WORDS),
    }


def results(client: Client, channel: int) -> list[dict[str, Any]]:
    return [event for event in client.of("Results") if event["channel_index"] == [channel, 2]]


def written(client: Client, channel: int) -> str:
    finals = [event for event in results(client, channel) if event["is_final"]]
    texts = [event["channel"]["alternatives"][0]["transcript"] for event in finals]
    return " ".join(filter(None, texts))


async def test_deepgram_s_clients_get_results_of_each_channel_and_one_metadata() -> None:
    async with world() as w:
        client = w.gateway().listen(language="ar", channels=2, multichannel="true", vad_events="true")
        await client.stream(stereo())
        await client.send('{"type":"CloseStream"}')
        assert (await client.rest()).code == 1000
    assert [written(client, 0), written(client, 1)] == [said(LEFT_WORDS), said(RIGHT_WORDS)]
    assert {tuple(event["channel"]) for event in client.of("SpeechStarted")} == {(0,), (1,)}
    [metadata] = client.of("Metadata")
    assert client.events[-1] == metadata
    assert (metadata["channels"], metadata["duration"]) == (2, len(stereo()) / 4 / 16_000)
    assert metadata["sha256"] == hashlib.sha256(stereo()).hexdigest()
    assert {event["metadata"]["request_id"] for event in client.of("Results")} == {metadata["request_id"]}


async def test_deepgram_s_finalize_may_name_a_channel() -> None:
    async with world() as w:
        client = w.gateway().listen(language="ar", channels=2, multichannel="true")
        await client.stream(stereo(LEFT[: len(speech.recite(LEFT_WORDS))], RIGHT))
        await client.send('{"type":"Finalize","channel":1}')
        while not any(event["from_finalize"] for event in client.of("Results")):
            await client.receive()
        await client.send("")  # no message: told once
        await client.send(b"")  # the other way to close the stream
        assert (await client.rest()).code == 1000
    assert {tuple(e["channel_index"]) for e in client.of("Results") if e["from_finalize"]} == {(1, 2)}
    assert len(client.of("Error")) == 1
    assert len(client.of("Metadata")) == 1
