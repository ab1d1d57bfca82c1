"""What a recitation counts: accepted audio once, a session once, its words at its end."""

from __future__ import annotations

import datetime as dt

from gateway.usage.store import Used
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, world

PCM = speech.recite([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
CUT = 5 * 16000 * 2


async def finish(client: Client) -> None:
    ready = await client.until("ready")
    await client.stream(PCM[ready["offset"] * 2 :])
    await client.send("end")
    assert (await client.rest()).code == 1000


async def used(*gateways: Gateway) -> Used:
    """What they count together, pool default, no tenant."""
    today = dt.datetime.now(dt.UTC).date()
    total = Used()
    for gateway in gateways:
        assert await gateway.ports.usage.hand_over()
        days = await gateway.ports.usage.store.read("", [today])
        total = total.plus(days.get(today, {}).get("default", Used()))
    return total


async def test_a_recitation_counts_its_audio_itself_and_its_words() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.connect()
        await finish(client)
        counted = await used(gateway)
    report = client.of("final_result")[0]["result"]
    words = [word for word in report["word_analysis"] if word["status"] != "pending"]
    assert counted == Used(len(PCM) // 2, 1, len(words))


async def test_a_resume_elsewhere_counts_no_second_session_and_no_audio_twice() -> None:
    async with world() as w:
        one, two = w.gateway(), w.gateway()
        first = one.connect()
        await first.stream(PCM[:CUT])
        await first.until("partial_result")
        await first.leave()
        second = two.connect(
            session_id=first.of("ready")[0]["session_id"],
            last_seq=max(first.seqs),
            offset=first.of("ack")[-1]["offset"],
        )
        await finish(second)
        counted = await used(one, two)
    assert second.of("ready")[0]["resumed"] is True
    assert counted.samples == len(PCM) // 2
    assert counted.sessions == 1


async def test_who_leaves_without_an_end_has_used_audio_but_no_words() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.connect()
        await client.stream(PCM[:CUT])
        await client.until("partial_result")
        await client.leave()
        counted = await used(gateway)
    assert counted.samples > 0
    assert (counted.sessions, counted.words) == (1, 0)
