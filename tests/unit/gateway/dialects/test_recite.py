"""`/ws/recite` from the first frame to the final report."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from gateway.interpreters.recitation import plan
from shared.recitation.live.follower import Follower
from tests.unit.gateway import speech
from tests.unit.gateway.harness import eventually, world


async def test_a_recitation_is_judged_word_by_word_and_ends_with_a_report() -> None:
    async with world() as w:
        client = w.gateway().connect()
        ready = await client.until("ready")
        await client.stream(speech.recite(range(29)))
        await client.send("end")
        closed = await client.rest()

    assert ready["words"][0] == speech.FATIHA.words[0].display
    assert (ready["resumed"], ready["next_seq"], ready["offset"]) == (False, 0, 0)
    assert closed.code == 1000
    partials = client.of("partial_result")
    assert client.seqs == list(range(len(partials)))
    assert all(len(partial["word_feedback"]) == 29 for partial in partials)
    assert {word["status"] for word in partials[-1]["word_feedback"]} == {"correct"}
    assert client.of("ack")[-1]["offset"] == len(speech.recite(range(29))) // 2
    assert client.events[-1]["type"] == "final_result"


async def test_a_flush_answers_what_is_there_without_waiting_for_a_full_window() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.stream(speech.recite([0, 1]))
        await client.send('{"type":"flush"}')
        partial = await client.until("partial_result")
    assert [word["status"] for word in partial["word_feedback"][:2]] != ["missing", "missing"]
    assert partial["latency_ms"]["buffer_ms"] == 1000
    assert partial["latency_ms"]["queued_ms"] == 3
    assert partial["latency_ms"]["inference_ms"] == 20
    assert set(partial) == {
        "type",
        "seq",
        "partial_transcript",
        "word_feedback",
        "latency_ms",
        "server_busy",
        "audio_quality",
        "pointer",
    }


async def test_the_word_expected_next_is_told() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.stream(speech.recite(range(29)))
        await client.send("end")
        await client.rest()
    pointers = [partial["pointer"] for partial in client.of("partial_result")]
    assert pointers == sorted(pointers)
    assert 0 < pointers[0] < pointers[-1] == 29


async def test_peeked_words_are_named_in_the_final_result() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.until("ready")
        for word in (7, 3, 7):
            await client.send(f'{{"type":"peek","word_index":{word}}}')
        await client.send('{"type":"peek","word_index":29}')
        await client.stream(speech.recite(range(29)))
        await client.send("end")
        await client.rest()
    assert client.events[-1]["peeked"] == [3, 7]
    assert [(error["code"], error["message"]) for error in client.of("error")] == [
        ("bad_message", "the passage has no word 29; its words are 0 to 28")
    ]


async def test_a_window_of_the_clients_choice() -> None:
    async with world() as w:
        client = w.gateway().connect(window=1.5)
        ready = await client.until("ready")
        await client.stream(speech.recite(range(6)))
        partial = await client.until("partial_result")
    assert ready["window_seconds"] == 1.5
    assert partial["latency_ms"]["buffer_ms"] == 1500


async def test_new_connections_take_the_adapted_window_and_live_ones_keep_theirs() -> None:
    async with world() as w:
        gateway = w.gateway(adaptive=True, adaptive_samples=1)
        first = gateway.connect()
        assert (await first.until("ready"))["window_seconds"] == 2.5
        gateway.ports.quality.observe(gateway.ports.models.default, 2000)
        second = gateway.connect()
        assert (await second.until("ready"))["window_seconds"] == 3.0
        await first.stream(speech.recite(range(6)))
        assert (await first.until("partial_result"))["latency_ms"]["buffer_ms"] == 2500


async def test_words_have_every_field_of_the_dialect() -> None:
    async with world() as w:
        client = w.gateway().connect()
        await client.stream(speech.recite(range(6)))
        partial = await client.until("partial_result")
    first, last = partial["word_feedback"][0], partial["word_feedback"][-1]
    assert set(first) == {
        "word",
        "status",
        "final",
        "index",
        "verse_key",
        "confidence",
        "start_time",
        "end_time",
        "heard",
    }
    assert (first["index"], first["verse_key"], first["status"]) == (0, "1:1", "correct")
    assert (last["index"], last["verse_key"], last["status"]) == (28, "1:7", "pending")
    assert last["heard"] is last["start_time"] is last["confidence"] is None


async def test_the_follower_of_an_ended_session_does_not_wait_for_the_collector() -> None:
    """Full collections are rare in a gateway; what is heavy goes with the connection."""
    born: list[weakref.ref[Follower]] = []

    class Counted(Follower):
        """Tells that it was made."""

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            born.append(weakref.ref(self))

    gc.collect()
    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "Follower", Counted)
            async with world() as w:
                client = w.gateway().connect()
                await client.stream(speech.recite(range(6)))
                await client.send("end")
                await client.rest()
                assert born
                await eventually(lambda: all(follower() is None for follower in born))
    finally:
        gc.enable()
