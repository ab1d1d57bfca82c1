"""`/v1/audio/transcriptions/stream`: partials, finals, speech, options, errors and resuming."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import av
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.hearing import HeardWord
from shared.protocol.segments import Segment, SegmentResult
from tests.unit.audio.recordings import wav_file
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, eventually, stop, world

WORDS = [0, 1, 2, 3, 4, 5]
SPOKEN = [speech.FATIHA.words[word].display for word in WORDS]
PCM = speech.recite(WORDS[:3]) + speech.silence(1.2) + speech.recite(WORDS[3:]) + speech.silence(1.2)


async def transcribe(client: Client, pcm: bytes = PCM) -> list[dict[str, Any]]:
    """The whole session; what the client was told."""
    await client.stream(pcm)
    await client.send('{"type":"end"}')
    assert (await client.rest()).code == 1000
    return client.events


def by_loudness(segment: Segment) -> SegmentResult:
    """One word where the window is loud."""
    loud = bool(segment.audio) and int(np.abs(np.frombuffer(segment.audio, "<i2").astype(int)).max()) > 150
    words = (HeardWord("loud"),) if loud else ()
    return msgspec.structs.replace(speech.listen(segment), words=words, text="loud" if loud else "")


def _mulaw(samples: NDArray[np.int16]) -> bytes:
    encoder: Any = av.CodecContext.create("pcm_mulaw", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 16_000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 16_000
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def finals(client: Client) -> list[str]:
    return [event["text"] for event in client.of("transcript.final")]


async def test_utterances_from_begin_to_end() -> None:
    async with world() as w:
        client = w.gateway().transcribe(language="ar")
        events = await transcribe(client)
    assert (events[0]["type"], events[-1]["type"]) == ("session.begin", "session.end")
    assert finals(client) == [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]
    assert events[-1]["transcript"] == " ".join(SPOKEN)
    assert [event["utterance"] for event in client.of("transcript.final")] == [0, 1]


async def test_speech_is_told_where_it_begins_and_ends() -> None:
    async with world() as w:
        client = w.gateway().transcribe()
        await transcribe(client)
    starts = [event["at"] for event in client.of("vad.speech_start")]
    ends = [event["at"] for event in client.of("vad.speech_end")]
    assert starts == pytest.approx([0.0, 2.7], abs=0.1)
    assert ends == pytest.approx([1.4, 4.1], abs=0.1)


async def test_a_partial_text_only_grows_in_what_is_stable() -> None:
    async with world() as w:
        client = w.gateway(interim_s=0.5).transcribe()
        await transcribe(client)
    partials = client.of("transcript.partial")
    assert partials
    for utterance in (0, 1):
        stable = [event["stable_text"] for event in partials if event["utterance"] == utterance]
        assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(stable))
    assert all(event["text"].startswith(event["stable_text"]) for event in partials)


async def test_interim_results_can_be_left_out() -> None:
    async with world() as w:
        client = w.gateway(interim_s=0.5).transcribe(interim_results="false")
        await transcribe(client)
    assert client.of("transcript.partial") == []
    assert finals(client) == [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]


async def test_without_speech_detection_windows_grow_until_the_end() -> None:
    async with world() as w:
        client = w.gateway().transcribe(enable_vad="false")
        events = await transcribe(client)
    assert client.of("vad.speech_start") == []
    assert events[-1]["transcript"] == " ".join(SPOKEN)


async def test_words_come_with_times_where_they_are_asked_for() -> None:
    async with world() as w:
        gateway = w.gateway()
        with_words, without = gateway.transcribe(word_timestamps="true"), gateway.transcribe()
        await transcribe(with_words)
        await transcribe(without)
    words = [word for event in with_words.of("transcript.final") for word in event["words"]]
    assert [word["word"] for word in words] == SPOKEN
    assert [word["start"] for word in words] == pytest.approx([0, 0.5, 1.0, 2.7, 3.2, 3.7], abs=0.05)
    assert all("words" not in event for event in without.of("transcript.final"))


async def test_a_flush_ends_the_utterance_now() -> None:
    async with world() as w:
        client = w.gateway(interim_s=5).transcribe()
        await client.stream(speech.recite(WORDS[:2]))
        await client.send("flush")
        assert (await client.until("transcript.final"))["text"] == " ".join(SPOKEN[:2])
        await client.send("end")
        await client.rest()


async def test_options_reach_the_engine_and_never_a_neighbour() -> None:
    async with world() as w:
        gateway = w.gateway()
        clients = [
            gateway.transcribe(language="en", vocabulary="Rattil"),
            gateway.transcribe(language="fr", word_timestamps="true"),
            gateway.connect(),
        ]
        for client in clients[:2]:
            await transcribe(client)
        await clients[2].stream(speech.recite(WORDS))
        await clients[2].send("end")
        await clients[2].rest()
        ids = [client.events[0]["session_id"] for client in clients]
        asked = {(ids.index(segment.session_id), segment.options) for segment in w.worker.seen}
    told = {place: (one.language, one.prompt, one.word_timestamps) for place, one in asked}
    assert told == {0: ("en", "Rattil", False), 1: ("fr", None, True), 2: ("ar", None, False)}
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"sample_rate": 3000}, "bad_audio"),
        ({"encoding": "mp3"}, "bad_audio"),
        ({"encoding": "webm_opus", "sample_rate": 16000}, "bad_audio"),
        ({"channels": 9}, "bad_request"),
        ({"language": "English"}, "bad_request"),
        ({"model": "huge"}, "unknown_model"),
        ({"interim_results": "maybe"}, "bad_request"),
        ({"endpoint_ms": 5}, "bad_request"),
        ({"vocabulary": "x" * 501}, "bad_request"),
        ({"session_id": "x"}, "bad_request"),
    ],
)
async def test_what_cannot_be_done_is_said_at_the_door(query: dict[str, object], code: str) -> None:
    async with world() as w:
        client = w.gateway().transcribe(**query)
        closed = await client.rest()
    assert (client.events[-1]["type"], client.events[-1]["code"], closed.code) == ("error", code, 1008)


@pytest.mark.parametrize("text", ["hello", "{", '{"type":7}', '{"a":' + "[" * 4000, "[]"])
async def test_a_text_frame_that_is_no_command_is_named_and_the_session_goes_on(text: str) -> None:
    async with world() as w:
        client = w.gateway().transcribe()
        await client.send(text)
        assert (await client.until("warning"))["code"] == "bad_message"
        events = await transcribe(client)
    assert events[-1]["transcript"] == " ".join(SPOKEN)


async def test_another_gateway_goes_on_with_the_session() -> None:
    async with world() as w:
        first, second = w.gateway(), w.gateway()
        client = first.transcribe(language="ar")
        begun = await client.until("session.begin")
        await client.stream(PCM[: len(PCM) // 2])
        await client.until("transcript.final")
        await client.drained()
        await client.leave()
        seen = max(event["seq"] for event in client.events if "seq" in event)
        acked = max(event["offset"] for event in client.of("ack"))
        back = second.transcribe(language="ar", session_id=begun["session_id"], last_seq=seen, offset=acked)
        again = await back.until("session.begin")
        assert (again["resumed"], again["next_seq"]) == (True, seen + 1)
        events = await transcribe(back, PCM[2 * again["offset"] :])
    assert finals(client) + finals(back) == [" ".join(SPOKEN[:3]), " ".join(SPOKEN[3:])]
    assert events[-1]["transcript"] == " ".join(SPOKEN)


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_f32le", "mulaw"])
async def test_any_format_is_heard_as_the_same_words(encoding: str) -> None:
    samples = np.frombuffer(PCM, "<i2")
    at_48k = np.repeat(samples, 3)  # square waves need no filter
    sent = {
        "pcm_s16le": np.repeat(at_48k, 2).tobytes(),
        "pcm_f32le": (np.repeat(at_48k, 2) / 32768).astype("<f4").tobytes(),
        "mulaw": _mulaw(samples),
    }[encoding]
    rate, channels = (16_000, 1) if encoding == "mulaw" else (48_000, 2)
    async with world(listen=by_loudness) as w:
        client = w.gateway(max_buffer_s=60).transcribe(encoding=encoding, sample_rate=rate, channels=channels)
        events = await transcribe(client, sent)
    assert events[-1]["transcript"] == "loud loud"
    assert client.of("ack")[-1]["offset"] <= len(samples) * rate // 16_000


@pytest.mark.parametrize("encoding", ["pcm_s16le", "mulaw", "container"])
async def test_audio_after_the_end_is_left_out_in_every_format(encoding: str) -> None:
    rate = {} if encoding == "container" else {"sample_rate": 8000}
    sent = {
        "pcm_s16le": np.frombuffer(PCM, "<i2")[::2].tobytes(),
        "mulaw": _mulaw(np.frombuffer(PCM, "<i2")[::2].copy()),
        "container": wav_file(PCM, 16_000, 1),
    }[encoding]
    async with world(listen=by_loudness) as w:
        client = w.gateway(max_buffer_s=60).transcribe(encoding=encoding, **rate)
        w.worker.working.clear()
        await client.stream(sent)
        await client.send("end")
        await client.stream(sent)
        await client.send("end")
        w.worker.working.set()
        assert (await client.rest()).code == 1000
    assert client.events[-1]["transcript"] == "loud loud"


async def test_a_session_in_another_format_goes_on_where_it_was_acknowledged() -> None:
    at_48k = np.repeat(np.frombuffer(PCM, "<i2"), 3).tobytes()
    async with world(listen=by_loudness) as w:
        gateway = w.gateway(max_buffer_s=60)
        client = gateway.transcribe(sample_rate=48_000)
        begun = await client.until("session.begin")
        await client.stream(at_48k[: len(at_48k) // 2])
        await client.until("transcript.final")
        await client.drained()
        await client.leave()
        seen = max(event["seq"] for event in client.events if "seq" in event)
        acked = client.of("ack")[-1]["offset"]
        back = gateway.transcribe(
            sample_rate=48_000, session_id=begun["session_id"], last_seq=seen, offset=acked
        )
        again = await back.until("session.begin")
        assert (again["resumed"], again["sample_rate"]) == (True, 48_000)
        assert acked <= again["offset"]
        events = await transcribe(back, at_48k[2 * again["offset"] :])
    assert events[-1]["transcript"] == "loud loud"


async def test_bytes_that_are_no_container_are_named() -> None:
    async with world() as w:
        client = w.gateway().transcribe(encoding="webm_opus")
        await client.until("session.begin")
        await client.send(b"this is no WebM file" * 100)
        await client.send("end")
        closed = await client.rest()
    assert (client.events[-1]["code"], closed.code) == ("bad_audio", 1008)


async def test_a_recitation_s_id_opens_no_transcription() -> None:
    async with world() as w:
        gateway = w.gateway()
        recitation = gateway.connect()
        session_id = (await recitation.until("ready"))["session_id"]
        intruder = gateway.transcribe(session_id=session_id, last_seq=-1)
        closed = await intruder.rest()
        await recitation.send('{"type":"ping"}')
        await recitation.until("pong")
    assert (intruder.events[-1]["code"], closed.code) == ("session_mismatch", 1008)


async def test_a_drain_says_come_back() -> None:
    async with world() as w:
        gateway: Gateway = w.gateway()
        client = gateway.transcribe()
        await client.until("session.begin")
        draining = asyncio.create_task(gateway.ports.connections.drain(0))
        assert (await client.rest()).code == 4001
        await draining
        await eventually(lambda: gateway.ports.connections.count == 0)


async def test_results_that_are_late_are_told_and_nothing_is_lost() -> None:
    async with world() as w:
        client = w.gateway(lag_warn_s=1.5).transcribe(language="ar")
        w.worker.working.clear()
        await client.stream(PCM[: 2 * 16_000 * 4])
        assert (await client.until("warning"))["code"] == "lagging"
        w.worker.working.set()
        await client.stream(PCM[2 * 16_000 * 4 :])
        await client.send('{"type":"end"}')
        assert (await client.rest()).code == 1000
    assert client.events[-1]["transcript"] == " ".join(SPOKEN)
    assert [event["code"] for event in client.of("warning")].count("lagging") == 1


async def test_who_asks_to_be_rejected_is_sent_away_and_may_come_back() -> None:
    async with world() as w:
        gateway = w.gateway(lag_warn_s=0.5, lag_longest_s=1.0, lag_for_s=0.0)
        client = gateway.transcribe(language="ar", overflow="reject")
        begun = await client.until("session.begin")
        w.worker.working.clear()
        streaming = asyncio.create_task(client.stream(PCM))  # it is closed in the middle
        closed = await client.rest()
        await stop([streaming])
        assert (closed.code, client.events[-1]["code"]) == (4010, "lagging")
        w.worker.working.set()
        offset = client.of("ack")[-1]["offset"]
        again = gateway.transcribe(
            language="ar", overflow="queue", session_id=begun["session_id"], last_seq=-1, offset=offset
        )
        await transcribe(again, PCM[2 * offset :])
    assert again.events[-1]["transcript"] == " ".join(SPOKEN)


async def test_who_asks_to_be_rejected_is_not_let_in_while_results_are_late() -> None:
    async with world() as w:
        gateway = w.gateway(lag_longest_s=0.3)
        waiting = gateway.transcribe(language="ar")
        w.worker.working.clear()
        await waiting.stream(PCM[: 2 * 16_000 * 3])
        [connection] = gateway.ports.connections._live.values()
        await eventually(lambda: (connection.wait_s or 0.0) > 0.3)
        refused = gateway.transcribe(language="ar", overflow="reject")
        closed = await refused.rest()
        assert (closed.code, [event["type"] for event in refused.events]) == (4503, ["error"])
        assert refused.events[0]["code"] == "overloaded"
        assert refused.events[0]["retry_after_s"] == 0.3
        queued = gateway.transcribe(language="ar", overflow="queue")
        await queued.until("session.begin")
        w.worker.working.set()
        await waiting.stream(PCM[2 * 16_000 * 3 :])
        await transcribe(waiting, b"")
        again = gateway.transcribe(language="ar", overflow="reject")
        await transcribe(again)
    assert again.events[-1]["transcript"] == " ".join(SPOKEN)


@pytest.mark.parametrize(("overflow", "lowered"), [("degrade", True), ("queue", False), ("reject", False)])
async def test_quality_is_lowered_only_for_who_lets_it(overflow: str, lowered: bool) -> None:
    async with world() as w:
        gateway = w.gateway(adaptive=True)
        gateway.ports.quality.note_load(gateway.ports.models.default, 0.96)
        client = gateway.transcribe(overflow=overflow)
        await client.send("ping")
        await client.until("pong")
    assert ("quality_lowered" in [event["code"] for event in client.of("warning")]) is lowered


async def test_an_overflow_that_does_not_exist_is_refused() -> None:
    async with world() as w:
        client = w.gateway().transcribe(overflow="shed")
        assert (await client.rest()).code == 1008
    assert client.events[-1]["message"] == "overflow must be degrade, queue, reject, not 'shed'"
