"""`/v1/listen`: results, pauses, `Finalize`, the end, and what is asked for."""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import json
import wave
from typing import Any

import pytest

from gateway.dialects.deepgram.parameters import read_options
from gateway.settings import GatewaySettings
from shared.errors import BadRequest
from tests.unit.gateway import speech
from tests.unit.gateway.dialects.test_transcriptions import by_loudness
from tests.unit.gateway.harness import Client, Gateway, eventually, world

WORDS = [0, 1, 2, 3, 4, 5]
SPOKEN = [speech.FATIHA.words[word].display for word in WORDS]
PCM = speech.recite(WORDS[:3]) + speech.silence(1.2) + speech.recite(WORDS[3:]) + speech.silence(1.2)
CLOSE = '{"type":"CloseStream"}'


def text(event: dict[str, Any]) -> str:
    said: str = event["channel"]["alternatives"][0]["transcript"]
    return said


def finals(client: Client) -> list[str]:
    return [text(event) for event in client.of("Results") if event["is_final"] and text(event)]


async def listen(client: Client, pcm: bytes = PCM) -> list[dict[str, Any]]:
    """The whole stream; what the client was told."""
    await client.stream(pcm)
    await client.send(CLOSE)
    assert (await client.rest()).code == 1000
    return client.events


async def test_each_utterance_is_final_once_and_the_stream_ends_with_its_metadata() -> None:
    async with world() as w:
        client = w.gateway().listen()
        events = await listen(client)
    assert finals(client) == [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]
    assert [event["speech_final"] for event in client.of("Results")] == [True, True]
    assert {event["type"] for event in events} == {"Results", "Metadata"}
    metadata = events[-1]
    assert metadata["sha256"] == hashlib.sha256(PCM).hexdigest()
    assert metadata["duration"] == pytest.approx(len(PCM) / 32_000, abs=0.001)
    assert (metadata["type"], metadata["channels"]) == ("Metadata", 1)
    assert {event["metadata"]["request_id"] for event in client.of("Results")} == {metadata["request_id"]}


async def test_words_have_times_and_confidence() -> None:
    async with world() as w:
        client = w.gateway().listen()
        await listen(client)
    words = [word for event in client.of("Results") for word in event["channel"]["alternatives"][0]["words"]]
    assert [word["punctuated_word"] for word in words] == SPOKEN
    assert [word["start"] for word in words] == pytest.approx([0, 0.5, 1.0, 2.7, 3.2, 3.7], abs=0.05)
    assert all(word["end"] > word["start"] and 0 <= word["confidence"] <= 1 for word in words)


async def test_interim_results_come_where_they_are_asked_for_and_finals_never_go_back() -> None:
    async with world() as w:
        gateway = w.gateway(interim_s=0.5)
        with_interim, without = gateway.listen(interim_results="true"), gateway.listen()
        await listen(with_interim)
        await listen(without)
    assert any(not event["is_final"] for event in with_interim.of("Results"))
    assert all(event["is_final"] for event in without.of("Results"))
    assert finals(with_interim) == finals(without)
    ends = [(event["start"], event["start"] + event["duration"]) for event in without.of("Results")]
    assert all(later[0] >= earlier[1] for earlier, later in itertools.pairwise(ends))


async def test_speech_events_and_the_end_of_utterances() -> None:
    async with world() as w:
        client = w.gateway(interim_s=0.5).listen(vad_events="true", utterance_end_ms=1000)
        await client.stream(PCM[: len(PCM) // 2])
        await client.until("UtteranceEnd")
        await listen(client, PCM[len(PCM) // 2 :])
    assert [event["timestamp"] for event in client.of("SpeechStarted")] == pytest.approx([0, 2.7], abs=0.1)
    assert [event["last_word_end"] for event in client.of("UtteranceEnd")] == pytest.approx(
        [1.4, 4.1], abs=0.1
    )


async def test_finalize_gives_what_was_sent_so_far_and_says_so() -> None:
    async with world() as w:
        client = w.gateway(interim_s=5).listen()
        await client.stream(speech.recite(WORDS[:2]))
        await client.send('{"type":"Finalize"}')
        result = await client.until("Results")
        assert (text(result), result["is_final"], result["from_finalize"]) == (
            " ".join(SPOKEN[:2]),
            True,
            True,
        )
        await client.stream(speech.recite(WORDS[2:]))
        await client.send(CLOSE)
        await client.rest()
    assert finals(client) == [" ".join(SPOKEN[:2]), " ".join(SPOKEN[2:])]
    assert [event["from_finalize"] for event in client.of("Results")] == [True, False]


async def test_finalize_in_silence_is_answered_by_an_empty_result() -> None:
    async with world() as w:
        client = w.gateway().listen()
        await client.stream(speech.silence(0.5))
        await client.send('{"type":"Finalize"}')
        result = await client.until("Results")
        assert (text(result), result["from_finalize"]) == ("", True)
        await client.send(CLOSE)
        await client.rest()


async def test_a_pause_that_is_only_known_after_finalize_is_told_all_the_same() -> None:
    async with world() as w:
        client = w.gateway().listen()
        await client.stream(speech.recite(WORDS[:2]) + speech.silence(0.3))
        await client.send('{"type":"Finalize"}')
        assert not (await client.until("Results"))["speech_final"]
        await client.stream(speech.silence(1))
        assert (await client.until("Results"))["speech_final"]
        await client.send(CLOSE)
        await client.rest()


async def test_without_endpointing_no_pause_is_told() -> None:
    async with world() as w:
        client = w.gateway().listen(endpointing="false")
        await listen(client)
    assert finals(client) == [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]
    assert not any(event["speech_final"] for event in client.of("Results"))


async def test_an_empty_binary_frame_is_the_end() -> None:
    async with world() as w:
        client = w.gateway().listen()
        await client.stream(PCM)
        await client.send(b"")
        assert (await client.rest()).code == 1000
    assert client.events[-1]["type"] == "Metadata"
    assert finals(client) == [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]


async def test_keep_alive_keeps_a_silent_stream_and_nothing_else_does() -> None:
    async with world() as w:
        gateway = w.gateway(idle_timeout_s=0.4, first_audio_s=0.4)
        kept, silent = gateway.listen(), gateway.listen()
        for _ in range(8):
            await kept.send('{"type":"KeepAlive"}')
            await asyncio.sleep(0.1)
        assert (await silent.rest()).code == 1011
        await listen(kept)
    assert silent.events[-1]["variant"] == "idle_timeout"
    assert finals(kept) == [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]


@pytest.mark.parametrize("message", ["hello", "{", '{"type":"Configure"}', '{"type":7}', "[]", '{"a":' * 500])
async def test_a_message_that_is_not_understood_is_shown_and_the_stream_goes_on(message: str) -> None:
    async with world() as w:
        client = w.gateway().listen()
        await client.send(message)
        error = await client.until("Error")
        assert (error["variant"], error["message"]) == ("SchemaError", message[:200])
        await listen(client)
    assert finals(client) == [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]


async def test_a_wav_needs_no_encoding() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(PCM)
    async with world(listen=by_loudness) as w:
        client = w.gateway().listen(encoding=None, sample_rate=None)
        await listen(client, file.getvalue())
    assert finals(client) == ["loud", "loud"]
    assert client.events[-1]["duration"] == pytest.approx(len(PCM) / 32_000, abs=0.05)


async def test_bytes_without_encoding_that_are_no_container_are_named() -> None:
    async with world() as w:
        client = w.gateway().listen(encoding=None, sample_rate=None)
        await client.send(PCM[:3200])
        closed = await client.rest()
    assert (client.events[-1]["variant"], closed.code) == ("bad_audio", 1008)
    assert "WebM" in client.events[-1]["description"]


async def test_options_reach_the_engine() -> None:
    async with world() as w:
        gateway = w.gateway()
        await listen(gateway.listen(language="en-US", keyterm=["Rattil", "Fatiha"], keywords="tajwid:2"))
        await listen(gateway.listen(language="ar"))
        asked = {(one.options.language, one.options.prompt) for one in w.worker.seen}
    assert asked == {("en", "Rattil, Fatiha, tajwid"), ("ar", None)}


SETTINGS = GatewaySettings(transcription_pools="large")
RAW = {"encoding": "linear16", "sample_rate": "16000"}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"diarize": "true"}, "diarize"),
        ({"redact": "pci"}, "redact"),
        ({"callback": "https://example.org"}, "callback"),
        ({"numerals": "true"}, "numerals"),
        ({"surprise": "1"}, "surprise"),
        ({"encoding": "opus"}, "encoding"),
        ({"encoding": "linear16", "sample_rate": ""}, "sample_rate"),
        ({"encoding": "", "sample_rate": "16000"}, "encoding"),
        ({"sample_rate": "1"}, "sample rate"),
        ({"channels": "99"}, "channels"),
        ({"multichannel": "true", "encoding": "ogg-opus", "sample_rate": ""}, "multichannel"),
        ({"language": "multi"}, "language"),
        ({"model": "large-v9"}, "model"),
        ({"endpointing": "9999"}, "endpointing"),
        ({"endpointing": "soon"}, "endpointing"),
        ({"utterance_end_ms": "10"}, "utterance_end_ms"),
        ({"interim_results": "maybe"}, "interim_results"),
    ],
)
def test_what_cannot_be_served_is_named(query: dict[str, str], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        read_options(RAW | query, [], SETTINGS)


def test_terms_are_bounded() -> None:
    with pytest.raises(BadRequest, match="keyterm"):
        read_options(RAW, ["x" * 300, "y" * 300], SETTINGS)


@pytest.mark.parametrize(
    ("query", "endpoint_ms", "told"),
    [
        ({}, SETTINGS.vad_endpoint_ms, True),
        ({"endpointing": "true"}, SETTINGS.vad_endpoint_ms, True),
        ({"endpointing": "10"}, 200, True),
        ({"endpointing": "300"}, 300, True),
        ({"endpointing": "false"}, SETTINGS.vad_endpoint_ms, False),
    ],
)
def test_endpointing(query: dict[str, str], endpoint_ms: int, told: bool) -> None:
    options = read_options(RAW | query, [], SETTINGS)
    assert (options.session.endpoint_ms, options.speech_final) == (endpoint_ms, told)


@pytest.mark.parametrize(
    ("model", "pool"),
    [("nova-3", ""), ("nova-2-general", ""), ("whisper-large", ""), ("large", "large"), ("", "")],
)
def test_models_of_deepgram_are_this_service_s_own(model: str, pool: str) -> None:
    assert read_options(RAW | {"model": model}, [], SETTINGS).session.model == pool


def test_switched_off_and_decorative_parameters_are_taken() -> None:
    query = {
        "diarize": "false",
        "punctuate": "true",
        "smart_format": "true",
        "tag": "x",
        "filler_words": "true",
    }
    assert read_options(RAW | query, [], SETTINGS).session.language == "en"


async def test_a_drain_says_connect_again() -> None:
    async with world() as w:
        gateway: Gateway = w.gateway()
        client = gateway.listen(interim_results="true")
        await client.stream(PCM)
        await client.until("Results")
        draining = asyncio.create_task(gateway.ports.connections.drain(0))
        assert (await client.rest()).code == 1012
        await draining
        await eventually(lambda: gateway.ports.connections.count == 0)


async def test_a_full_gateway_says_so() -> None:
    async with world() as w:
        gateway = w.gateway(ws_max_connections=1)
        holding = gateway.listen()
        await holding.send('{"type":"KeepAlive"}')
        await eventually(lambda: gateway.ports.connections.count == 1)
        refused = gateway.listen()
        assert (await refused.rest()).code == 1013
    assert json.dumps(refused.events[-1]).count("no_capacity") == 1
