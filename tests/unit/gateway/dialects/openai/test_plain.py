"""The plain form of `/v1/realtime`: `session.create`, audio by source, `response.create`."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from gateway.dialects.openai.plain import socket as plain_socket
from gateway.dialects.openai.plain.responses import Responses
from gateway.dialects.openai.realtime.messages import ErrorDetail, ResponseDone, ResponseTextDelta
from shared.hearing import HeardWord
from shared.transcription.utterances import Utterance
from tests.unit.gateway import speech
from tests.unit.gateway.dialects.openai.chance import changed_by_chance, hear
from tests.unit.gateway.harness import Client, World, eventually, world

MIC_WORDS, SYSTEM_WORDS, MORE_WORDS = [0, 1, 2], [10, 11, 12, 13], [20, 21]
PCM16 = {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}


def said(words: list[int]) -> str:
    return " ".join(speech.FATIHA.words[word].spelling for word in words)


async def create(client: Client, **given: Any) -> dict[str, Any]:
    greeting = await client.receive()
    assert greeting["type"] == "session.created"
    await client.send(json.dumps({"type": "session.create", "session": PCM16} | given))
    return await client.receive()


async def say(client: Client, pcm: bytes, source: str | None = None, **given: Any) -> None:
    for start in range(0, len(pcm), 6400):
        audio = base64.b64encode(pcm[start : start + 6400]).decode()
        event = {"type": "input_audio_buffer.append", "audio": audio} | given
        await client.send(json.dumps(event | ({"source": source} if source else {})))


async def respond(client: Client, correlation_id: str) -> dict[str, Any]:
    await client.send(json.dumps({"type": "response.create", "correlation_id": correlation_id}))
    return await client.until("response.done")


def deltas(client: Client, response_id: str) -> list[tuple[str, str]]:
    """(source, text), one for each run of deltas of one source."""
    found: list[tuple[str, str]] = []
    for event in client.of("response.text.delta"):
        if event["response_id"] != response_id:
            continue
        if found and found[-1][0] == event["source"]:
            found[-1] = (event["source"], found[-1][1] + event["delta"])
        else:
            found.append((event["source"], event["delta"]))
    return found


async def test_a_response_has_what_was_said_since_the_last_one() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        created = await create(client, event_id="mine-1")
        await say(client, speech.recite(MIC_WORDS))
        first = await respond(client, "one")
        await say(client, speech.recite(MORE_WORDS))
        second = await respond(client, "two")
        third = await respond(client, "three")
    assert (created["type"], created["correlation_id"]) == ("session.created", "mine-1")
    assert created["session"]["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 16_000}
    assert created["session"]["audio"]["input"]["turn_detection"] is None
    for done, name, text in ((first, "one", said(MIC_WORDS)), (second, "two", said(MORE_WORDS))):
        assert done["correlation_id"] == name
        assert done["response"]["status"] == "completed"
        assert done["response"]["output"] == [{"source": "mic", "text": text}]
        assert deltas(client, done["response"]["id"]) == [("mic", text)]
    assert first["response"]["usage"]["type"] == "duration"
    assert first["response"]["usage"]["seconds"] == pytest.approx(1.5, abs=0.3)
    assert third["response"]["output"] == [{"source": "mic", "text": ""}]
    assert all(event["correlation_id"] in ("one", "two") for event in client.of("response.text.delta"))
    assert len({event["event_id"] for event in client.events}) == len(client.events)


async def test_sources_are_kept_apart_and_the_microphone_comes_first() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.realtime()
        await create(client)
        await say(client, speech.recite(SYSTEM_WORDS), "system")
        await say(client, speech.recite(MIC_WORDS), "mic")
        done = await respond(client, "both")
        assert gateway.ports.connections.count == 2
        await client.leave()
        await eventually(lambda: gateway.ports.connections.count == 0)
    texts = [("mic", said(MIC_WORDS)), ("system", said(SYSTEM_WORDS))]
    assert [(one["source"], one["text"]) for one in done["response"]["output"]] == texts
    assert deltas(client, done["response"]["id"]) == texts


async def test_what_is_said_after_a_response_was_asked_for_belongs_to_the_next_one() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await create(client)
        w.worker.working.clear()
        await say(client, speech.recite(MIC_WORDS))
        await client.send('{"type":"response.create","event_id":"a"}')
        await say(client, speech.recite(MORE_WORDS))
        await client.send('{"type":"response.create","event_id":"b"}')
        w.worker.working.set()
        first, second = await client.until("response.done"), await client.until("response.done")
    assert [(one["correlation_id"], one["response"]["output"][0]["text"]) for one in (first, second)] == [
        ("a", said(MIC_WORDS)),
        ("b", said(MORE_WORDS)),
    ]


async def test_a_response_without_audio_is_empty() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await create(client)
        done = await respond(client, "nothing")
    assert (done["response"]["status"], done["response"]["output"]) == ("completed", [])


async def test_the_less_important_source_is_thrown_away_when_its_queue_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is said how much; the microphone loses nothing: its client has to wait."""
    monkeypatch.setattr(plain_socket, "QUEUE_S", 1.0)
    async with world() as w:
        client = w.gateway().realtime()
        await create(client)
        w.worker.working.clear()
        await say(client, speech.recite([10]), "system")
        await say(client, speech.recite([0]), "mic")
        await client.send('{"type":"response.create","event_id":"a"}')  # both are held until it is heard
        await say(client, speech.silence(1.0), "system")
        await say(client, speech.silence(0.4), "system", event_id="too-much")
        refused = await client.until("error")
        again = await client.until("error")
        await say(client, speech.recite([1]), "mic")
        w.worker.working.set()
        await client.until("response.done")
        done = await respond(client, "b")
    for event in (refused, again):
        assert event["error"]["code"] == "input_audio_buffer_full"
        assert (event["error"]["event_id"], event["correlation_id"]) == ("too-much", "too-much")
        assert event["error"]["message"].startswith("200 ms of source system were thrown away")
    assert done["response"]["output"] == [
        {"source": "mic", "text": said([1])},
        {"source": "system", "text": ""},
    ]


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "input_audio_buffer.append", "audio": "AAA=", "source": "tv"}, "invalid_value", "source"),
        ({"type": "input_audio_buffer.append", "audio": "?"}, "invalid_value", "audio"),
        ({"type": "session.create", "session": {}}, "invalid_event", None),
        ({"type": "conversation.item.create"}, "invalid_event", None),
        ([], "invalid_event", None),
    ],
)
async def test_what_is_wrong_is_said_and_all_goes_on(event: Any, code: str, param: str | None) -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await create(client)
        named = event | {"event_id": "wrong"} if isinstance(event, dict) else event
        await client.send(json.dumps(named))
        error = await client.until("error")
        await say(client, speech.recite(MIC_WORDS))
        done = await respond(client, "after")
    assert (error["error"]["code"], error["error"]["param"]) == (code, param)
    assert error.get("correlation_id") == ("wrong" if isinstance(event, dict) else None)
    assert done["response"]["output"][0]["text"] == said(MIC_WORDS)


async def test_a_bad_configuration_is_refused_and_another_one_may_follow() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        wrong = {"audio": {"input": {"format": {"type": "audio/mp3"}}}}
        error = await create(client, session=wrong, event_id="x")
        assert (error["type"], error["error"]["event_id"]) == ("error", "x")
        await client.send(json.dumps({"type": "session.create", "session": {"input_audio_format": "pcm16"}}))
        created = await client.until("session.created")
        assert created["session"]["input_audio_format"] == "pcm16"


async def test_too_many_bad_events_end_the_socket() -> None:
    async with world() as w:
        gateway = w.gateway(max_bad_messages=3)
        client = gateway.realtime()
        await create(client)
        for _ in range(3):
            await client.send("what")
        assert (await client.rest()).code == 1008
        await eventually(lambda: gateway.ports.connections.count == 0)
    assert len(client.of("error")) == 3


async def test_a_socket_without_audio_is_closed() -> None:
    async with world() as w:
        client = w.gateway(idle_timeout_s=0.2, first_audio_s=0.2).realtime()
        await create(client)
        assert (await client.rest()).code == 1000
    assert [event["error"]["code"] for event in client.of("error")] == ["idle_timeout"]


async def test_a_drain_tells_what_was_heard_although_nobody_asked_yet() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.realtime()
        await create(client)
        await say(client, speech.recite(MIC_WORDS))
        await say(client, speech.recite(SYSTEM_WORDS), "system")
        await eventually(lambda: gateway.ports.connections.count == 2)
        await eventually(lambda: _received(w) == len(speech.recite([*MIC_WORDS, *SYSTEM_WORDS])) // 2)
        await gateway.ports.connections.drain(0.0)
        assert (await client.rest()).code == 1012
    texts = {one["response"]["output"][0]["source"]: one["response"] for one in client.of("response.done")}
    assert texts["mic"]["output"][0]["text"] == said(MIC_WORDS)
    assert texts["system"]["output"][0]["text"] == said(SYSTEM_WORDS)
    assert all("correlation_id" not in event for event in client.of("response.done"))


def _received(w: World) -> int:
    [gateway] = w.gateways
    live = gateway.ports.connections._live.values()
    return sum(connection._core.segmenter.received for connection in live)  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(8))
async def test_no_event_breaks_the_plain_form(seed: int) -> None:
    chance = random.Random(seed)
    sounds = [speech.recite([1]), speech.recite([2, 3]), speech.silence(1.0), b"\1"]
    events: list[dict[str, Any]] = [
        {"type": "response.create", "event_id": "e"},
        {"type": "session.create", "session": PCM16},
        *(
            {
                "type": "input_audio_buffer.append",
                "audio": base64.b64encode(pcm).decode(),
                "source": chance.choice(["mic", "system"]),
            }
            for pcm in sounds
        ),
    ]
    async with world(hear) as w:
        gateway = w.gateway(max_bad_messages=1000)
        client = gateway.realtime()
        await create(client)
        for _ in range(60):
            await client.send(changed_by_chance(chance, json.dumps(chance.choice(events))))
        while True:
            await client.send('{"type":"response.create","correlation_id":"last"}')
            event = await client.receive()
            while event["type"] not in ("error", "response.done") or event.get("correlation_id") != "last":
                event = await client.receive()
            if event["type"] == "response.done":
                break  # else too many waited still
        await client.leave()
        await eventually(lambda: gateway.ports.connections.count == 0)
        ended = gateway.ports.metrics.registry.get_sample_value(
            "rattil_gateway_closes_total", {"reason": "internal"}
        )
    assert not ended
    for done in client.of("response.done"):
        response = done["response"]
        said_of = [(one["source"], one["text"]) for one in response["output"] if one["text"]]
        assert deltas(client, response["id"]) == said_of
        assert response["status"] == "completed"


# -- which text belongs to which response -------------------------------------------------------------------
def utterance(number: int, text: str, *, ended: bool) -> Utterance:
    return Utterance(number, 0, 1000, tuple(map(HeardWord, text.split())), ended=ended)


def test_deltas_wait_for_the_more_important_source() -> None:
    responses = Responses()
    assert list(responses.hear("system", utterance(0, "loud music", ended=False))) == []
    assert list(responses.create("r", ("system", "mic"))) == []
    [first] = responses.hear("mic", utterance(0, "hello", ended=True))
    assert isinstance(first, ResponseTextDelta)
    assert (first.source, first.delta) == ("mic", "hello")
    assert list(responses.settle("system")) == []
    rest = list(responses.settle("mic"))
    assert [type(one) for one in rest] == [ResponseTextDelta, ResponseDone]
    assert isinstance(rest[0], ResponseTextDelta)
    assert (rest[0].source, rest[0].delta) == ("system", "loud music")


def test_a_failure_makes_a_response_incomplete() -> None:
    responses = Responses()
    list(responses.create("r", ("mic",)))
    responses.fail("mic", "asr_failed", "it could not be decoded")
    [done] = responses.settle("mic")
    assert isinstance(done, ResponseDone)
    assert done.response.status == "incomplete"
    assert isinstance(done.response.error, ErrorDetail)
    assert done.response.error.code == "asr_failed"


def test_a_source_that_ends_completes_what_waits_for_it() -> None:
    responses = Responses()
    list(responses.create("r", ("mic", "system")))
    list(responses.hear("mic", utterance(0, "hello", ended=True)))
    assert list(responses.settle("mic")) == []
    [done] = responses.end("system", ErrorDetail("server_error", "unavailable", "gone"))
    assert isinstance(done, ResponseDone)
    assert done.response.status == "incomplete"
    assert responses.waiting == 0
