"""`/ws/recite` from the first frame to the final report."""

from __future__ import annotations

from tests.unit.gateway import speech
from tests.unit.gateway.harness import world


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
