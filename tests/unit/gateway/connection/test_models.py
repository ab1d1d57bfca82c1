"""Sessions choose their model: it hears them, a resume has it, and the accurate one judges at the end."""

from __future__ import annotations

import pytest

from gateway.session.options import decode_options
from shared.ids import SessionId
from tests.unit.gateway import speech
from tests.unit.gateway.harness import eventually, world

POOLS = "default=rattil-tiny,accurate=rattil-base"
PCM = speech.recite(list(range(12)))


async def test_a_session_is_pushed_to_the_pool_of_its_model_and_a_resume_has_it() -> None:
    async with world() as w:
        gateway = w.gateway(pools=POOLS)
        client = gateway.connect(model="rattil-base")
        ready = await client.until("ready")
        assert ready["model"] == "rattil-base"
        await client.stream(PCM)
        await client.until("ack")
        await client.leave()
        record = w.bus.sessions[SessionId(ready["session_id"])].record
        assert (record.pool, decode_options(record.options).model) == ("accurate", "accurate")
        assert w.worker.seen == []  # it works for the default pool
        back = w.gateway(pools=POOLS).connect(session_id=ready["session_id"], last_seq=-1, offset=0)
        resumed = await back.until("ready")
        assert (resumed["resumed"], resumed["model"]) == (True, "rattil-base")


async def test_without_a_choice_it_is_the_default_pool() -> None:
    async with world() as w:
        client = w.gateway(pools=POOLS).connect()
        assert (await client.until("ready"))["model"] == "rattil-tiny"
        await client.stream(PCM)
        await client.until("partial_result")
        await eventually(lambda: len(w.worker.seen) > 0)


@pytest.mark.parametrize("pools", ["", POOLS])
async def test_an_unknown_model_is_refused_by_name(pools: str) -> None:
    async with world() as w:
        gateway = w.gateway(pools=pools)
        for client in (gateway.connect(model="huge"), gateway.transcribe(model="huge")):
            closed = await client.rest()
            (error,) = client.of("error")
            assert (closed.code, error["code"]) == (1008, "unknown_model")
            assert "'huge'" in error["message"]
            assert error.get("fallback", "Choose").startswith("Choose")
            assert "default" in error["message"]
        recited, _ = gateway.clients
        assert ("accurate (rattil-base)" in recited.events[0]["message"]) == bool(pools)


async def test_a_transcription_is_told_its_model() -> None:
    async with world() as w:
        begun = await w.gateway(pools=POOLS).transcribe(model="accurate").until("session.begin")
        assert begun["model"] == "rattil-base"


async def test_the_accurate_pool_is_asked_for_the_report_first() -> None:
    async with world() as w:
        client = w.gateway(pools=POOLS).connect()
        await client.until("ready")
        await client.stream(PCM)
        await client.send("end")
        assert (await client.rest()).code == 1000
        assert w.batch.judges == [("accurate", "default")]
