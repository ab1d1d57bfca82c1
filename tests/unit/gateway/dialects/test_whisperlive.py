"""WhisperLive's protocol: options, segments that stand, the end, refusals; read as its client reads it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from gateway.connection.end_reason import End
from gateway.connection.transport import Take
from gateway.dialects.whisperlive.options import decode_options, session_options
from gateway.dialects.whisperlive.pauses import FLUSH, FlushInPauses
from gateway.settings import GatewaySettings
from shared.errors import BadRequest
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, eventually, world

WORDS = [0, 1, 2, 3, 4, 5]
SPOKEN = [speech.FATIHA.words[word].display for word in WORDS]
PCM = speech.recite(WORDS[:3]) + speech.silence(1.2) + speech.recite(WORDS[3:]) + speech.silence(1.2)
FIRST, SECOND = " ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])
END = b"END_OF_AUDIO"


def floats(pcm: bytes) -> bytes:
    return (np.frombuffer(pcm, "<i2") / 32768).astype("<f4").tobytes()


async def opened(gateway: Gateway, **options: object) -> Client:
    """A client that has sent its options."""
    client = Client(gateway.app, "/ws/whisperlive")
    gateway.clients.append(client)
    await client.send(json.dumps({"uid": "u1", "language": "ar"} | options))
    return client


async def rest(client: Client) -> tuple[list[dict[str, Any]], int]:
    """Every message, and the close code."""
    code = (await client.rest()).code
    return client.events, code


def kept(events: list[dict[str, Any]], uid: str = "u1") -> list[str]:
    """The transcript as WhisperLive's client keeps it: completed segments that begin where the last ended."""
    transcript: list[dict[str, Any]] = []
    for event in events:
        if event["uid"] != uid:
            continue
        for segment in event.get("segments", []):
            fresh = not transcript or float(segment["start"]) >= float(transcript[-1]["end"])
            if segment["completed"] and fresh:
                transcript.append(segment)
    return [segment["text"] for segment in transcript]


async def transcribe(client: Client, audio: bytes) -> list[dict[str, Any]]:
    await client.stream(audio, 16_384)
    await client.send(END)
    events, code = await rest(client)
    assert code == 1000
    return events


async def test_float32_becomes_segments_that_a_client_keeps() -> None:
    async with world() as w:
        events = await transcribe(await opened(w.gateway()), floats(PCM))
    assert events[0] == {"uid": "u1", "message": "SERVER_READY", "backend": "faster_whisper"}
    assert kept(events) == [FIRST, SECOND]
    last = events[-1]["segments"]
    assert [segment["completed"] for segment in last] == [True, True]
    assert all(len(segment["start"].split(".")[1]) == 3 for segment in last)


async def test_int16_is_taken_where_it_is_said() -> None:
    async with world() as w:
        events = await transcribe(await opened(w.gateway(), audio_format="int16"), PCM)
    assert kept(events) == [FIRST, SECOND]


async def test_a_segment_that_is_not_completed_comes_last() -> None:
    async with world() as w:
        events = await transcribe(await opened(w.gateway(interim_s=0.5)), floats(PCM))
    shown = [event["segments"] for event in events if "segments" in event]
    assert any(not segments[-1]["completed"] for segments in shown)
    assert all(segment["completed"] for segments in shown for segment in segments[:-1])


@pytest.mark.parametrize("interim_s", [0.5, 5])
async def test_the_text_of_a_completed_segment_was_the_last_that_might_change(interim_s: float) -> None:
    """Else WhisperLive's client adds that to its transcript at the end."""
    async with world() as w:
        events = await transcribe(await opened(w.gateway(interim_s=interim_s)), floats(PCM))
    last, completed = "", 0
    for segments in (event["segments"] for event in events if "segments" in event):
        if not segments[-1]["completed"]:
            last = segments[-1]["text"]
        else:
            completed += 1
            assert segments[-1]["text"] == last
    assert completed == 2


async def test_only_the_last_segments_are_sent_again() -> None:
    pcm = (speech.recite(WORDS[:1]) + speech.silence(1.2)) * 4
    async with world() as w:
        events = await transcribe(await opened(w.gateway(), send_last_n_segments=2), floats(pcm))
    completed = [[part for part in event.get("segments", []) if part["completed"]] for event in events]
    assert max(len(segments) for segments in completed) == 2
    assert kept(events) == [SPOKEN[0]] * 4


async def test_words_come_where_they_are_asked_for() -> None:
    async with world() as w:
        gateway = w.gateway()
        with_words = await transcribe(await opened(gateway, word_timestamps=True), floats(PCM))
        without = await transcribe(await opened(gateway), floats(PCM))
    words = [word for segment in with_words[-1]["segments"] for word in segment["words"]]
    assert [word["word"] for word in words] == SPOKEN
    assert all("words" not in segment for segment in without[-1]["segments"])


async def test_without_voice_detection_the_end_gives_everything() -> None:
    async with world() as w:
        events = await transcribe(await opened(w.gateway(), use_vad=False), floats(PCM))
    assert " ".join(kept(events)) == f"{FIRST} {SECOND}"


async def test_a_full_gateway_says_wait_and_for_how_many_minutes() -> None:
    async with world() as w:
        gateway = w.gateway(ws_max_connections=1)
        holding = await opened(gateway)
        await holding.receive()
        events, code = await rest(await opened(gateway, uid="u2"))
    assert (events[0]["uid"], events[0]["status"], code) == ("u2", "WAIT", 1013)
    assert events[0]["message"] == pytest.approx(5 / 60, abs=0.01)


@pytest.mark.parametrize(
    "first", [b"\0\0\0\0", "hello", "[]", '{"uid": 7}', '{"a":' * 500, '{"uid":"' + "x" * 9000 + '"}']
)
async def test_a_first_message_that_is_no_options_is_refused(first: str | bytes) -> None:
    async with world() as w:
        gateway = w.gateway()
        client = Client(gateway.app, "/ws/whisperlive")
        gateway.clients.append(client)
        await client.send(first)
        events, code = await rest(client)
    assert ([event["status"] for event in events], code) == (["ERROR"], 1008)


async def test_who_sends_no_options_is_not_waited_for() -> None:
    async with world() as w:
        gateway = w.gateway(first_audio_s=0.1)
        client = Client(gateway.app, "/ws/whisperlive")
        gateway.clients.append(client)
        events, code = await rest(client)
    assert ("no options" in events[0]["message"], code) == (True, 1008)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"task": "translate"}, "translate"),
        ({"enable_translation": True}, "enable_translation"),
        ({"enable_diarization": True}, "enable_diarization"),
        ({"language": "English"}, "language"),
        ({"audio_format": "uint8"}, "audio_format"),
        ({"send_last_n_segments": 0}, "send_last_n_segments"),
        ({"send_last_n_segments": 10**9}, "send_last_n_segments"),
        ({"hotwords": "x" * 300, "initial_prompt": "y" * 300}, "hotwords"),
    ],
)
def test_what_cannot_be_served_is_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        session_options(decode_options(json.dumps({"uid": "u"} | options), 8192), GatewaySettings())


def test_a_browser_s_few_options_are_enough() -> None:
    sent = '{"uid":"u","language":null,"task":"transcribe","model":"small","use_vad":true}'
    options = session_options(decode_options(sent, 8192), GatewaySettings(stream_language="en"))
    assert (options.language, options.model, options.encoding) == ("en", "", "pcm_f32le")


async def test_text_after_the_options_is_warned_of_and_the_session_goes_on() -> None:
    async with world() as w:
        client = await opened(w.gateway())
        await client.send("hello")
        events = await transcribe(client, floats(PCM))
    assert [event["status"] for event in events if "status" in event] == ["WARNING"]
    assert kept(events) == [FIRST, SECOND]


async def test_a_drain_gives_what_came_and_says_connect_again() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = await opened(gateway)
        await client.stream(floats(PCM), 16_384)
        await eventually(lambda: len(w.worker.seen) > 0)
        draining = asyncio.create_task(gateway.ports.connections.drain(0))
        events, code = await rest(client)
        await draining
    assert code == 1012
    assert kept(events)[0] == FIRST


async def test_a_session_at_its_longest_is_told_disconnect() -> None:
    async with world() as w:
        client = await opened(w.gateway(max_session_s=3))
        await client.stream(floats(PCM), 16_384)
        events, code = await rest(client)
    assert code == 1000
    assert {"uid": "u1", "message": "DISCONNECT"} in events
    assert kept(events)[0] == FIRST


async def test_what_was_said_is_told_to_a_client_that_waits_before_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.dialects.whisperlive.dialect.PAUSE_S", 0.05)
    async with world() as w:
        client = await opened(w.gateway(interim_s=5))
        await client.send(floats(speech.recite(WORDS[:3])))
        while not kept(client.events):
            await client.receive()
        await client.send(floats(speech.recite(WORDS[3:])))
        await client.send(END)
        events, code = await rest(client)
    assert (kept(events), code) == ([FIRST, SECOND], 1000)


class Frames:
    """A `Transport` whose client sends what it is told to."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[bytes | str] = asyncio.Queue()

    async def pour(self, take: Take) -> None:
        while take(await self.waiting.get()):
            pass

    async def send(self, frame: bytes | str) -> None: ...

    def send_now(self, frame: bytes | str) -> bool:
        return False

    async def end(self, end: End) -> None: ...

    def abort(self, after_s: float) -> None: ...


async def test_a_pause_is_told_once_and_only_after_audio() -> None:
    frames, taken = Frames(), asyncio.Queue[bytes | str]()
    transport = FlushInPauses(frames, 0.01, lambda frame: isinstance(frame, bytes))

    def take(frame: bytes | str) -> bool:
        taken.put_nowait(frame)
        return frame != "enough"

    async def next_ones(count: int) -> list[bytes | str]:
        async with asyncio.timeout(10):
            return [await taken.get() for _ in range(count)]

    frames.waiting.put_nowait("text")
    pouring = asyncio.create_task(transport.pour(take))
    assert await next_ones(1) == ["text"]
    frames.waiting.put_nowait(b"1")
    assert await next_ones(2) == [b"1", FLUSH]
    frames.waiting.put_nowait(b"2")
    assert await next_ones(2) == [b"2", FLUSH]
    for frame in (b"3", "enough"):
        frames.waiting.put_nowait(frame)
    assert await next_ones(2) == [b"3", "enough"]
    await pouring
    frames.waiting.put_nowait("enough")
    await transport.pour(take)
    assert await next_ones(1) == ["enough"]
    assert taken.empty()


async def test_a_pause_counts_while_nothing_is_read() -> None:
    """The audio that filled the queue was the last one."""
    frames, taken = Frames(), asyncio.Queue[bytes | str]()
    transport = FlushInPauses(frames, 0.01, lambda frame: isinstance(frame, bytes))
    frames.waiting.put_nowait(b"1")
    await transport.pour(lambda frame: False)

    def take(frame: bytes | str) -> bool:
        taken.put_nowait(frame)
        return True

    pouring = asyncio.create_task(transport.pour(take))
    async with asyncio.timeout(10):
        assert await taken.get() is FLUSH
    pouring.cancel()
