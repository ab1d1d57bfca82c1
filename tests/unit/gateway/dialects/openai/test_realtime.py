"""`/v1/realtime`: turns by speech and by commit, configuration while it goes on, and every kind of error."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from typing import Any

import pytest

from shared.protocol.segments import Segment, SegmentResult
from tests.unit.gateway import speech
from tests.unit.gateway.dialects.openai.chance import changed_by_chance, hear
from tests.unit.gateway.harness import Client, eventually, world

WORDS = [0, 1, 2, 3, 4, 5]
SPOKEN = [speech.FATIHA.words[word].spelling for word in WORDS]
FIRST, SECOND = speech.recite(WORDS[:3]), speech.recite(WORDS[3:])
PAUSE = speech.silence(1.2)
TEXTS = [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"
COMMITTED = "input_audio_buffer.committed"
PCM = {"type": "audio/pcm", "rate": 16_000}


def update(**given: Any) -> dict[str, Any]:
    """`session.update` for PCM at 16 kHz."""
    return {
        "type": "session.update",
        "session": {"type": "transcription", "audio": {"input": {"format": PCM} | given}},
    }


def append(pcm: bytes) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


async def say(client: Client, *events: dict[str, Any] | bytes | str) -> None:
    """Events as JSON; bytes as audio in pieces of 200 ms; texts as they are."""
    for event in events:
        if isinstance(event, bytes):
            for start in range(0, len(event), 6400):
                await client.send(json.dumps(append(event[start : start + 6400])))
        else:
            await client.send(event if isinstance(event, str) else json.dumps(event))


COMMIT = {"type": "input_audio_buffer.commit"}
CLEAR = {"type": "input_audio_buffer.clear"}


def texts(client: Client) -> list[str]:
    return [event["transcript"] for event in client.of(COMPLETED)]


def told(client: Client, item_id: str) -> str:
    return "".join(event["delta"] for event in client.of(DELTA) if event["item_id"] == item_id)


def kinds(client: Client, item_id: str) -> list[str]:
    """The kinds of events about one item, each once, in order."""
    mine = [
        event["type"].rpartition(".")[2]
        for event in client.events
        if item_id in (event.get("item_id"), event.get("item", {}).get("id"))
    ]
    return list(dict.fromkeys(mine))


# -- turns by speech ---------------------------------------------------------------------------------
async def test_each_turn_of_speech_is_an_item_in_the_order_of_openai() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(client, update(), FIRST + PAUSE + SECOND + PAUSE)
        first = await client.until(COMPLETED)
        second = await client.until(COMPLETED)
    assert texts(client) == TEXTS
    one, two = first["item_id"], second["item_id"]
    for item_id in (one, two):
        assert set(kinds(client, item_id)) == {
            "speech_started", "speech_stopped", "committed", "added", "done", "delta", "completed",
        }  # fmt: skip
        assert kinds(client, item_id)[0] == "speech_started"
        assert kinds(client, item_id)[-1] == "completed"
        order = [kind for kind in kinds(client, item_id) if kind != "delta"]
        assert order == ["speech_started", "speech_stopped", "committed", "added", "done", "completed"]
    assert [told(client, one), told(client, two)] == TEXTS
    assert [event["previous_item_id"] for event in client.of(COMMITTED)] == [None, one]
    assert first["usage"]["type"] == "duration"
    assert 1.3 <= first["usage"]["seconds"] <= 2.2
    starts = [event["audio_start_ms"] for event in client.of("input_audio_buffer.speech_started")]
    stops = [event["audio_end_ms"] for event in client.of("input_audio_buffer.speech_stopped")]
    assert starts == pytest.approx([0, 2400], abs=60)
    assert stops == pytest.approx([1900, 4600], abs=60)
    assert len({event["event_id"] for event in client.events}) == len(client.events)


async def test_the_session_is_created_updated_and_shown() -> None:
    async with world() as w:
        client = w.gateway().realtime(model="gpt-4o-transcribe")
        created = await client.receive()
        await say(client, update(transcription={"model": "whisper-1", "language": "Arabic"}))
        updated = await client.until("session.updated")
        await say(
            client, {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}}
        )
        manual = await client.until("session.updated")
    assert created["type"] == "session.created"
    shown = created["session"]["audio"]["input"]
    assert created["session"]["type"] == "transcription"
    assert shown["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert shown["transcription"]["model"] == "gpt-4o-transcribe"
    assert shown["turn_detection"]["type"] == "server_vad"
    assert updated["session"]["id"] == created["session"]["id"]
    assert updated["session"]["audio"]["input"]["format"] == PCM
    assert updated["session"]["audio"]["input"]["transcription"]["language"] == "ar"
    kept = manual["session"]["audio"]["input"]
    assert kept["turn_detection"] is None
    assert (kept["format"], kept["transcription"]["language"]) == (PCM, "ar")


async def test_the_beta_shape() -> None:
    async with world() as w:
        client = w.gateway().realtime(headers=[("OpenAI-Beta", "realtime=v1")])
        created = await client.receive()
        session = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1"}}
        await say(client, {"type": "transcription_session.update", "session": session})
        updated = await client.until("transcription_session.updated")
        await say(client, {"type": "transcription_session.update", "session": {"turn_detection": None}})
        await say(client, append(b"\xff" * 8000), COMMIT)
        completed = await client.until(COMPLETED)
    assert created["type"] == "transcription_session.created"
    assert created["session"]["input_audio_format"] == "pcm16"
    assert updated["session"]["input_audio_format"] == "g711_ulaw"
    assert kinds(client, completed["item_id"]) == ["committed", "created", "completed"]


@pytest.mark.parametrize(
    ("format_", "silence"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, bytes(48_000)),
        ({"type": "audio/pcm"}, bytes(48_000)),
        ({"type": "audio/pcmu"}, b"\xff" * 8000),
        ({"type": "audio/pcma"}, b"\xd5" * 8000),
    ],
)
async def test_every_format_is_taken(format_: dict[str, Any], silence: bytes) -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.realtime()
        await say(client, update(format=format_, turn_detection=None), append(silence), COMMIT)
        completed = await client.until(COMPLETED)
        assert completed["transcript"] == ""
        options = next(iter(w.bus.sessions.values())).record.options
    assert json.loads(options)["sample_rate"] == format_.get(
        "rate", 24_000 if format_["type"][6:] == "pcm" else 8000
    )


# -- turns by commit ---------------------------------------------------------------------------------
async def test_what_is_committed_is_an_item_and_nothing_is_told_before() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(client, update(turn_detection=None), FIRST, COMMIT, SECOND, COMMIT)
        await client.until(COMPLETED)
        await client.until(COMPLETED)
    assert texts(client) == TEXTS
    for event, text in zip(client.of(COMPLETED), TEXTS, strict=True):
        assert kinds(client, event["item_id"]) == ["committed", "added", "done", "delta", "completed"]
        assert told(client, event["item_id"]) == text
    assert client.of("input_audio_buffer.speech_started") == []
    one, two = (event["item_id"] for event in client.of(COMPLETED))
    assert [event["previous_item_id"] for event in client.of(COMMITTED)] == [None, one]
    assert one != two


@pytest.mark.parametrize("model", ["gpt-realtime-whisper", "gpt-live-transcribe"])
async def test_models_without_turn_detection_at_openai_have_none_unless_it_is_asked_for(model: str) -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(client, update(transcription={"model": model}), FIRST + PAUSE + SECOND, COMMIT)
        updated = await client.until("session.updated")
        await client.until(COMPLETED)
        asking = w.gateway().realtime()
        await say(asking, update(transcription={"model": model}, turn_detection={"type": "server_vad"}))
        await say(asking, FIRST + PAUSE)
        await asking.until(COMPLETED)
        named = w.gateway().realtime(model=model)
        created = await named.until("session.created")
    assert updated["session"]["audio"]["input"]["turn_detection"] is None
    assert texts(client) == [" ".join(TEXTS)]
    assert texts(asking) == TEXTS[:1]
    assert created["session"]["audio"]["input"]["turn_detection"] is None


async def test_another_model_brings_turn_detection_back_unless_it_was_turned_off() -> None:
    async with world() as w:
        client = w.gateway().realtime(model="gpt-live-transcribe")
        shown = []
        for given in ({"transcription": {"model": "whisper-1"}}, {"turn_detection": None}):
            await say(client, update(**given))
            updated = await client.until("session.updated")
            shown.append(updated["session"]["audio"]["input"]["turn_detection"])
        await say(client, update(transcription={"model": "gpt-4o-transcribe"}))
        updated = await client.until("session.updated")
        shown.append(updated["session"]["audio"]["input"]["turn_detection"])
    assert [one and one["type"] for one in shown] == ["server_vad", None, None]


async def test_commits_as_fast_as_they_can_come_each_have_their_own_audio() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        words = [speech.recite([word]) for word in WORDS]
        await say(client, update(turn_detection=None))
        for word in words:
            await say(client, word, COMMIT)
        for _ in words:
            await client.until(COMPLETED)
    assert texts(client) == SPOKEN


async def test_an_item_longer_than_a_window_is_one_item() -> None:
    async with world() as w:
        client = w.gateway(utterance_max_s=2.0).realtime()
        await say(client, update(turn_detection=None), speech.recite(WORDS * 3), COMMIT)
        await client.until(COMPLETED)
    assert texts(client) == [" ".join(SPOKEN * 3)]


async def test_a_turn_longer_than_a_window_is_one_item() -> None:
    async with world() as w:
        client = w.gateway(utterance_max_s=2.0).realtime()
        await say(client, update(), speech.recite(WORDS * 3) + PAUSE)
        completed = await client.until(COMPLETED)
    assert texts(client) == [" ".join(SPOKEN * 3)]
    assert told(client, completed["item_id"]) == completed["transcript"]
    assert len(client.of("input_audio_buffer.speech_started")) == 1


async def test_what_is_cleared_is_never_told() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(client, update(turn_detection=None), FIRST, CLEAR, SECOND, COMMIT)
        await client.until(COMPLETED)
    assert texts(client) == TEXTS[1:]
    assert len(client.of("input_audio_buffer.cleared")) == 1
    assert len(client.of(COMMITTED)) == 1


async def test_a_commit_in_the_middle_of_speech_ends_the_item_there() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(client, update(), FIRST, COMMIT, SECOND + PAUSE)
        await client.until(COMPLETED)
        await client.until(COMPLETED)
    assert " ".join(texts(client)) == " ".join(TEXTS)
    assert len({event["item_id"] for event in client.of(COMPLETED)}) == 2
    assert len(client.of(COMMITTED)) == 2


# -- another configuration while it goes on ------------------------------------------------------------
async def test_a_change_takes_effect_between_two_words_and_loses_none() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(client, update(transcription={"language": "ar"}), FIRST)
        await say(client, update(transcription={"language": "en", "prompt": "Rattil"}), SECOND + PAUSE)
        await client.until(COMPLETED)
        await client.until(COMPLETED)
        seen = {(segment.options.language, segment.options.prompt) for segment in w.worker.seen}
    assert texts(client) == TEXTS
    assert seen == {("ar", None), ("en", "Rattil")}
    starts = [event["audio_start_ms"] for event in client.of("input_audio_buffer.speech_started")]
    assert starts == pytest.approx([0, 1500], abs=60)


async def test_what_was_not_committed_stays_when_the_configuration_changes() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(client, update(turn_detection=None, transcription={"language": "ar"}), FIRST)
        await say(client, update(transcription={"language": "en"}), SECOND, COMMIT)
        await client.until(COMPLETED)
        await say(client, update(transcription={"language": "fr"}), COMMIT)
        nothing = await client.until("error")
    assert texts(client) == [" ".join(TEXTS)]
    assert nothing["error"]["code"] == "input_audio_buffer_commit_empty"


async def test_a_commit_may_come_right_after_a_change() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(client, update(turn_detection=None, transcription={"language": "ar"}), FIRST)
        await say(client, update(transcription={"language": "en"}), COMMIT)
        await client.until(COMPLETED)
    assert texts(client) == TEXTS[:1]


async def test_an_update_that_changes_nothing_disturbs_nothing() -> None:
    async with world() as w:
        client = w.gateway().realtime()
        await say(
            client, update(), FIRST, update(), update(transcription={"model": "gpt-4o-transcribe"}), PAUSE
        )
        await client.until(COMPLETED)
        assert len(w.bus.sessions) == 1
    assert texts(client) == TEXTS[:1]
    assert len(client.of("session.updated")) == 3


async def test_options_never_reach_a_neighbour() -> None:
    async with world() as w:
        gateway = w.gateway()
        one, two = gateway.realtime(), gateway.realtime()
        await say(
            one, update(turn_detection=None, transcription={"language": "fr", "prompt": "un"}), FIRST, COMMIT
        )
        await say(two, update(turn_detection=None, transcription={"language": "de"}), SECOND, COMMIT)
        await one.until(COMPLETED)
        await two.until(COMPLETED)
        seen = {
            (segment.session_id, segment.options.language, segment.options.prompt)
            for segment in w.worker.seen
        }
    assert (texts(one), texts(two)) == (TEXTS[:1], TEXTS[1:])
    assert sorted((language, prompt or "") for _, language, prompt in seen) == [("de", ""), ("fr", "un")]
    assert len({session for session, _, _ in seen}) == 2


# -- errors ------------------------------------------------------------------------------------------
BAD: list[tuple[str | dict[str, Any], str, str | None]] = [
    ("this is no JSON", "invalid_event", None),
    ("[1]", "invalid_event", None),
    ("{}", "invalid_event", None),
    ({"type": "response.create"}, "invalid_event", None),
    ({"type": "input_audio_buffer.append"}, "invalid_value", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "no base64!"}, "invalid_value", "audio"),
    (COMMIT, "input_audio_buffer_commit_empty", "input_audio_buffer"),
    ({"type": "session.update"}, "invalid_value", "session"),
    ({"type": "session.update", "session": {"type": "realtime"}}, "unsupported_value", "session.type"),
    (update(format={"type": "audio/mp3"}), "unsupported_value", "session.audio.input.format.type"),
    (
        update(format={"type": "audio/pcm", "rate": 11_025}),
        "unsupported_value",
        "session.audio.input.format.rate",
    ),
    (
        update(format={"type": "audio/pcm", "rate": "fast"}),
        "invalid_value",
        "session.audio.input.format.rate",
    ),
    (
        update(transcription={"model": "gpt-9"}),
        "model_not_found",
        "session.audio.input.transcription.model",
    ),
    (
        update(transcription={"language": "klingon"}),
        "invalid_value",
        "session.audio.input.transcription.language",
    ),
    (
        update(transcription={"prompt": "x" * 4001}),
        "invalid_value",
        "session.audio.input.transcription.prompt",
    ),
    (update(transcription=None), "unsupported_value", "session.audio.input.transcription"),
    (
        update(turn_detection={"type": "server_vad", "silence_duration_ms": 9}),
        "invalid_value",
        "session.audio.input.turn_detection.silence_duration_ms",
    ),
    (
        update(turn_detection={"type": "server_vad", "threshold": 2}),
        "invalid_value",
        "session.audio.input.turn_detection.threshold",
    ),
    (
        update(turn_detection={"type": "guess"}),
        "invalid_value",
        "session.audio.input.turn_detection.type",
    ),
    (
        {"type": "transcription_session.update", "session": {"input_audio_format": "mp3"}},
        "unsupported_value",
        "session.input_audio_format",
    ),
]


@pytest.mark.parametrize("live", [False, True], ids=["before audio", "in a session"])
@pytest.mark.parametrize(("bad", "code", "param"), BAD, ids=[str(place) for place in range(len(BAD))])
async def test_a_bad_event_gives_an_error_and_the_connection_lives(
    bad: str | dict[str, Any], code: str, param: str | None, live: bool
) -> None:
    async with world() as w:
        client = w.gateway().realtime()
        before: list[Any] = [FIRST, COMMIT] if live else []
        await say(client, update(turn_detection=None), *before)
        if live:
            await client.until(COMPLETED)
        sent = bad | {"event_id": "mine"} if isinstance(bad, dict) else bad
        await say(client, sent)
        error = (await client.until("error"))["error"]
        await say(client, SECOND, COMMIT)
        await client.until(COMPLETED)
    assert texts(client)[-1] == TEXTS[1]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
    assert error["event_id"] == ("mine" if isinstance(bad, dict) else None)
    assert error["message"]


async def test_too_many_bad_events_end_the_connection() -> None:
    async with world() as w:
        client = w.gateway(max_bad_messages=3).realtime()
        await say(client, *["nonsense"] * 3)
        assert (await client.rest()).code == 1008
    assert len(client.of("error")) == 3


async def test_an_event_that_is_too_large_ends_the_connection() -> None:
    async with world() as w:
        client = w.gateway(max_frame_bytes=20_000).realtime()
        await say(client, append(bytes(20_000)))
        assert (await client.rest()).code == 1009
    assert client.of("error")[0]["error"]["code"] == "frame_too_big"


async def test_a_model_in_the_address_that_is_not_served_is_named() -> None:
    async with world() as w:
        client = w.gateway().realtime(model="gpt-9")
        assert (await client.rest()).code == 1008
        conversation = w.gateway().realtime(model="gpt-realtime")
        assert (await conversation.receive())["type"] == "session.created"
    error = client.of("error")[0]["error"]
    assert (error["code"], error["type"], error["param"]) == (
        "model_not_found",
        "invalid_request_error",
        "model",
    )


async def test_a_part_that_cannot_be_decoded_fails_its_item_and_no_other() -> None:
    def listen(segment: Segment) -> SegmentResult:
        result = speech.listen(segment)
        if SPOKEN[0] not in result.text:
            return result
        fields = {"outcome": "error", "code": "asr_failed", "message": "the engine stumbled", "words": ()}
        return SegmentResult(**({name: getattr(result, name) for name in result.__struct_fields__} | fields))

    async with world(listen) as w:
        client = w.gateway().realtime()
        await say(client, update(turn_detection=None), FIRST, COMMIT, SECOND, COMMIT)
        failed = await client.until(FAILED)
        await client.until(COMPLETED)
    assert failed["error"]["code"] == "asr_failed"
    assert failed["error"]["message"]
    assert texts(client) == TEXTS[1:]
    assert failed["item_id"] == client.of(COMMITTED)[0]["item_id"]


async def test_a_socket_without_audio_is_closed_in_the_end() -> None:
    async with world() as w:
        client = w.gateway(idle_timeout_s=0.1).realtime()
        assert (await client.rest()).code == 1000
    assert client.of("error")[0]["error"]["code"] == "idle_timeout"


async def test_a_key_is_asked_for_as_openai_clients_send_it() -> None:
    async with world() as w:
        gateway = w.gateway(api_keys="school=s3cret")
        without = gateway.realtime()
        assert (await without.rest()).code == 1008
        with_key = gateway.realtime(headers=[("Authorization", "Bearer s3cret")])
        assert (await with_key.receive())["type"] == "session.created"
    assert without.of("error")[0]["error"]["code"] == "unauthorised"


async def test_a_client_that_leaves_leaves_nothing_behind() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.realtime()
        await say(client, update(), FIRST)
        await eventually(lambda: bool(w.worker.seen))
        await client.leave()
        early = gateway.realtime()
        await early.receive()
        await early.leave()
        assert gateway.ports.connections.count == 0


# -- what the service does -----------------------------------------------------------------------------
async def test_a_drain_says_connect_again_and_loses_nothing_that_was_committed() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.realtime()
        await say(client, update(turn_detection=None), FIRST, COMMIT)
        await client.until(COMPLETED)
        await say(client, SECOND, COMMIT)
        await client.until(COMMITTED)
        draining = asyncio.create_task(gateway.ports.connections.drain(0))
        assert (await client.rest()).code == 1012
        await draining
    assert texts(client) == TEXTS


async def test_a_service_without_room_says_so() -> None:
    async with world() as w:
        gateway = w.gateway(ws_max_connections=1)
        first, second = gateway.realtime(), gateway.realtime()
        await say(first, update(), FIRST)
        await eventually(lambda: gateway.ports.connections.count == 1)
        await say(second, append(FIRST))
        assert (await second.rest()).code == 1013
    assert second.of("error")[0]["error"]["type"] == "server_error"


async def test_a_session_that_is_too_long_is_told_and_answered() -> None:
    async with world() as w:
        client = w.gateway(max_session_s=1.5).realtime()
        await say(client, update(), FIRST)
        await client.send(json.dumps(append(SECOND[:6400])))
        assert (await client.rest()).code == 1000
    assert texts(client) == TEXTS[:1]
    assert client.of("error")[0]["error"]["code"] == "session_too_long"


def _text(event: dict[str, Any] | bytes) -> str:
    """As it is sent; audio as an event that appends it."""
    return json.dumps(append(event) if isinstance(event, bytes) else event)


@pytest.mark.parametrize("seed", range(8))
async def test_no_event_breaks_the_dialect(seed: int) -> None:
    chance = random.Random(seed)
    events: list[dict[str, Any] | bytes] = [
        COMMIT,
        CLEAR,
        update(),
        update(turn_detection=None),
        update(
            turn_detection={"type": "semantic_vad", "eagerness": "high"}, transcription={"language": "en"}
        ),
        update(format={"type": "audio/pcmu"}),
        {"type": "transcription_session.update", "session": {"input_audio_format": "pcm16"}},
        speech.recite([1]),
        speech.recite([2, 3]),
        speech.silence(1.0),
    ]
    async with world(hear) as w:
        gateway = w.gateway(max_bad_messages=1000)
        client = gateway.realtime()
        for _ in range(40):
            await client.send(changed_by_chance(chance, _text(chance.choice(events))))
        await say(client, update(turn_detection=None), CLEAR, FIRST, COMMIT)
        while not texts(client) or texts(client)[-1] != TEXTS[0]:
            await client.until(COMPLETED)
        await client.leave()
        await eventually(lambda: gateway.ports.connections.count == 0)
        ended = gateway.ports.metrics.registry.get_sample_value(
            "rattil_gateway_closes_total", {"reason": "internal"}
        )
    assert not ended
    items = [event["item_id"] for event in client.events if event["type"] in (COMPLETED, FAILED)]
    assert len(items) == len(set(items))
    assert [event["item_id"] for event in client.of(COMMITTED)] == items
    for event in client.of(COMPLETED):
        assert told(client, event["item_id"]) == event["transcript"]
