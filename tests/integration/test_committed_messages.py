"""Committed lines over a real WebSocket, on a port of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.__main__ import frame_protocol
from gateway.app import build_stream
from shared.service.http_server import served_beside
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Gateway, eventually, world

WORDS = [0, 1, 2, 3, 4, 5]
SPOKEN = [speech.FATIHA.words[word].display for word in WORDS]
PCM = speech.recite(WORDS)


@asynccontextmanager
async def stream(**overrides: Any) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway and the address of its port for committed lines."""
    async with AsyncExitStack() as stack:
        w = await stack.enter_async_context(world())
        gateway = w.gateway(**overrides)
        websockets = frame_protocol(gateway.ports.settings, gateway.ports.metrics)
        app = build_stream(gateway.ports)
        port = await stack.enter_async_context(served_beside(app, "127.0.0.1", 0, websockets=websockets))
        yield gateway, f"ws://127.0.0.1:{port}/"


async def rest(client: ClientConnection) -> list[dict[str, Any]]:
    received: list[dict[str, Any]] = []
    try:
        async for message in client:
            received.append(json.loads(message))
    except ConnectionClosed:
        pass
    return received


async def send(client: ClientConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 6400):
        await client.send(pcm[start : start + 6400])


def words(events: list[dict[str, Any]]) -> list[str]:
    return [word for event in events if event["type"] == "final" for word in event["text"].split()]


async def test_words_come_as_they_stand_and_the_end_gives_the_rest() -> None:
    async with stream(interim_s=0.5) as (_, url), connect(url) as client:
        assert json.loads(await client.recv()) == {"type": "ready", "sample_rate": 16000}
        await send(client, PCM)
        await client.send("end")
        received = await rest(client)
        assert client.close_code == 1000
    assert words(received) == SPOKEN
    times = [event[name] for event in received for name in ("beg_ms", "end_ms")]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(len(PCM) / 32, abs=150)


async def test_a_flush_gives_all_words_that_came_before_and_says_when() -> None:
    async with stream(interim_s=5) as (_, url), connect(url) as client:
        await send(client, speech.recite(WORDS[:2]))
        await client.send("flush")
        received: list[dict[str, Any]] = []
        while not received or received[-1]["type"] != "flushed":
            received.append(json.loads(await client.recv()))
        assert words(received) == SPOKEN[:2]
        await send(client, speech.recite(WORDS[2:]))
        await client.send("end")
        assert words(await rest(client)) == SPOKEN[2:]


async def test_what_is_no_command_is_named_and_the_session_goes_on() -> None:
    async with stream() as (_, url), connect(url + "any/path") as client:
        await client.recv()
        await client.send("hello")
        error = json.loads(await client.recv())
        assert (error["type"], error["code"]) == ("error", "bad_message")
        await send(client, PCM)
        await client.send("end")
        assert words(await rest(client)) == SPOKEN


async def test_a_key_is_needed_where_keys_are_set() -> None:
    keyed = {"api_keys": "school=k1", "allow_anonymous": True}
    async with stream(**keyed) as (_, url):
        async with connect(url) as stranger:
            refused = await rest(stranger)
            assert (refused[-1]["code"], stranger.close_code) == ("unauthorised", 4502)
        async with connect(url, additional_headers={"Authorization": "Bearer k1"}) as client:
            assert json.loads(await client.recv())["type"] == "ready"


async def test_a_drain_answers_what_came_and_says_reconnect() -> None:
    async with stream() as (gateway, url), connect(url) as client:
        await send(client, PCM)
        await eventually(lambda: gateway.ports.metrics.audio_seconds._value.get() > 0)
        draining = asyncio.create_task(gateway.ports.connections.drain(0))
        received = await rest(client)
        await draining
        assert client.close_code == 4001
    heard = words(received)
    assert heard == SPOKEN[: len(heard)]
    assert heard
