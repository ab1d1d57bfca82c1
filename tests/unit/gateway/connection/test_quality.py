"""Under load new sessions get less and are told so; those that live keep what they have."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from gateway.admission.router_client import OpenAdmission
from gateway.session.options import decode_options
from shared.audio.formats import SAMPLE_RATE
from shared.errors import NoCapacity
from shared.ids import PoolName, SessionId
from shared.protocol.close_codes import NO_CAPACITY
from shared.protocol.workers import AdmitRequest, Lease
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, World, stop, world

POOLS = "accurate=rattil-base,fast=rattil-tiny"
ACCURATE, FAST = PoolName("accurate"), PoolName("fast")


def loaded(w: World, load: float, **overrides: Any) -> Gateway:
    """A gateway whose routers say that its default pool is so full."""
    gateway = w.gateway(adaptive=True, **overrides)
    gateway.ports.quality.note_load(gateway.ports.models.default, load)
    return gateway


async def warned(client: Client) -> list[str]:
    """The codes and sentences of the warnings that come before the first pong."""
    await client.send("ping")
    await client.until("pong")
    return [f"{event['code']}: {event['message']}" for event in client.of("warning")]


async def test_with_room_nobody_is_told_anything() -> None:
    async with world() as w:
        client = loaded(w, 0.5, pools=POOLS).transcribe()
        assert (await client.until("session.begin"))["model"] == "rattil-base"
        assert await warned(client) == []


async def test_a_transcription_without_interim_results_is_told_so() -> None:
    async with world() as w:
        gateway = loaded(w, 0.96)
        client = gateway.transcribe()
        begun = await client.until("session.begin")
        (warning,) = await warned(client)
        assert warning.startswith("quality_lowered: the service is under load: ")
        assert warning.endswith("there are no interim results; looks are further apart")
        assert not decode_options(
            w.bus.sessions[SessionId(begun["session_id"])].record.options
        ).interim_results
        modest = gateway.transcribe(interim_results="false")
        assert await warned(modest) == ["quality_lowered: the service is under load: looks are further apart"]
        count = gateway.ports.metrics.registry.get_sample_value
        assert count("rattil_gateway_lowered_sessions_total", {"step": "no_interim"}) == 1
        assert count("rattil_gateway_lowered_sessions_total", {"step": "long_windows"}) == 2
        assert count("rattil_gateway_quality_step", {"pool": "default"}) == 2


async def test_in_a_full_pool_who_chose_no_model_gets_the_fast_one() -> None:
    async with world() as w:
        gateway = loaded(w, 1.0, pools=POOLS)
        client = gateway.transcribe()
        assert (await client.until("session.begin"))["model"] == "rattil-tiny"
        assert await warned(client) == [
            "quality_lowered: the service is under load: the fast model transcribes"
        ]
        reciter = gateway.connect()
        assert (await reciter.until("ready"))["model"] == "rattil-tiny"
        for chosen in ("accurate", "rattil-base"):
            assert (await gateway.connect(model=chosen).until("ready"))["model"] == "rattil-base"


async def test_when_the_load_is_over_new_sessions_get_everything_again() -> None:
    async with world() as w:
        gateway = loaded(w, 1.0, pools=POOLS)
        gateway.ports.quality.note_load(ACCURATE, 0.95)
        assert (await gateway.connect().until("ready"))["model"] == "rattil-tiny"
        gateway.ports.quality.note_load(ACCURATE, 0.5)
        client = gateway.transcribe()
        assert (await client.until("session.begin"))["model"] == "rattil-base"
        assert await warned(client) == []


async def test_a_session_that_is_gone_on_with_keeps_its_model_and_its_interim_results() -> None:
    async with world() as w:
        gateway = w.gateway(adaptive=True, pools=POOLS)
        first = gateway.connect()
        await first.stream(speech.recite(range(12)))
        await first.until("ack")
        await first.leave()
        gateway.ports.quality.note_load(ACCURATE, 1.0)
        back = gateway.connect(session_id=first.events[0]["session_id"], last_seq=-1, offset=0)
        ready = await back.until("ready")
        assert (ready["resumed"], ready["model"]) == (True, "rattil-base")


class FullPool(OpenAdmission):
    """Routers whose accurate pool has no slot."""

    async def admit(self, request: AdmitRequest) -> Lease:
        if request.pool == ACCURATE:
            raise NoCapacity("full", 5.0)
        return await super().admit(request)


async def test_after_the_first_refusal_newcomers_are_let_into_the_fast_pool() -> None:
    async with world() as w:
        gateway = w.gateway(FullPool(), adaptive=True, pools=POOLS, refusal_memory_s=60)
        ports = gateway.ports
        renewing = asyncio.create_task(ports.leases.run(ports.models.names, ports.quality.note_load))
        await asyncio.sleep(0)
        refused = gateway.connect()
        assert (await refused.rest()).code == NO_CAPACITY.code
        assert (await gateway.connect().until("ready"))["model"] == "rattil-tiny"
        chose = gateway.connect(model="accurate")
        assert (await chose.rest()).code == NO_CAPACITY.code
        await stop([renewing])


async def test_a_voice_too_quiet_to_be_judged_is_told_so_once() -> None:
    steps = np.random.default_rng(1).normal(scale=3e-5 * 32768, size=10 * SAMPLE_RATE)
    swell = np.maximum(0, np.sin(2 * np.pi * 1.5 * np.arange(steps.size) / SAMPLE_RATE))
    async with world() as w:
        client = w.gateway().connect()
        await client.stream(np.rint(2 * steps * swell).astype("<i2").tobytes())
        await client.send("end")
        await client.rest()
        assert [event["code"] for event in client.of("notice")] == ["too_quiet"]
