"""Committed lines over a real TCP socket: words come as they stand, half-closing is the end."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pydantic
import pytest

from gateway.dialects.committed_lines.dialect import serving
from gateway.settings import GatewaySettings
from tests.unit.gateway import speech
from tests.unit.gateway.harness import eventually, world

WORDS = [0, 1, 2, 3, 4, 5]
SPOKEN = [speech.FATIHA.words[word].display for word in WORDS]
PCM = speech.recite(WORDS)


async def lines(port: int, pcm: bytes, pause_s: float = 0.0) -> list[str]:
    """As netcat with a file: send, close the sending half, read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for start in range(0, len(pcm), 6400):
        writer.write(pcm[start : start + 6400])
        await writer.drain()
        await asyncio.sleep(pause_s)
    writer.write_eof()
    async with asyncio.timeout(20):
        received = await reader.read()
    writer.close()
    return received.decode().splitlines()


def words(received: list[str]) -> list[str]:
    return [word for line in received for word in line.split(" ", 2)[2].split()]


async def test_words_come_as_they_stand_and_lines_follow_time() -> None:
    async with world() as w:
        gateway = w.gateway(stream_enabled=True, stream_port=0, interim_s=0.5)
        async with serving(gateway.ports) as port:
            received = await lines(port, PCM, pause_s=0.02)
    assert words(received) == SPOKEN
    assert len(received) > 1
    times = [int(part) for line in received for part in line.split(" ", 2)[:2]]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(len(PCM) / 32, abs=150)


async def test_many_clients_at_once_hear_only_themselves() -> None:
    async with world() as w:
        gateway = w.gateway(stream_enabled=True, stream_port=0)
        async with serving(gateway.ports) as port:
            said = [[number, number + 1, number + 2] for number in range(8)]
            received = await asyncio.gather(*(lines(port, speech.recite(one)) for one in said))
    expected = [[speech.FATIHA.words[word].display for word in one] for one in said]
    assert [words(one) for one in received] == expected


async def test_a_client_that_only_sends_silence_gets_nothing_and_an_end() -> None:
    async with world() as w:
        gateway = w.gateway(stream_enabled=True, stream_port=0)
        async with serving(gateway.ports) as port:
            assert await lines(port, speech.silence(3)) == []
            await eventually(lambda: gateway.ports.connections.count == 0)


async def test_a_client_that_vanishes_is_noticed() -> None:
    async with world() as w:
        gateway = w.gateway(stream_enabled=True, stream_port=0)
        async with serving(gateway.ports) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(PCM)
            await eventually(lambda: gateway.ports.connections.count == 1)
            writer.transport.abort()
            await eventually(lambda: gateway.ports.connections.count == 0)


async def test_a_full_gateway_says_so_in_a_line() -> None:
    async with world() as w:
        gateway = w.gateway(stream_enabled=True, stream_port=0, ws_max_connections=1)
        async with serving(gateway.ports) as port:
            _, holding = await asyncio.open_connection("127.0.0.1", port)
            await eventually(lambda: gateway.ports.connections.count == 1)
            refused = await lines(port, b"")
            holding.close()
    assert refused[0].startswith("# no_capacity: ")


async def test_noise_of_any_bytes_breaks_nothing() -> None:
    async with world() as w:
        gateway = w.gateway(stream_enabled=True, stream_port=0)
        async with serving(gateway.ports) as port:
            odd = np.random.default_rng(1).bytes(33_333)
            await lines(port, odd)
            assert words(await lines(port, PCM)) == SPOKEN


async def test_a_drain_answers_what_came_and_says_connect_again() -> None:
    async with world() as w:
        gateway = w.gateway(stream_enabled=True, stream_port=0)
        async with serving(gateway.ports) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(PCM)
            await eventually(lambda: gateway.ports.metrics.audio_seconds._value.get() > 0)
            await gateway.ports.connections.drain(0)
            async with asyncio.timeout(20):
                received = (await reader.read()).decode().splitlines()
            writer.close()
            assert await lines(port, b"") == [
                "# draining: this gateway is going away; reconnect to be served by another one"
            ]
    assert words(received[:-1]) == SPOKEN
    assert received[-1] == "# draining: this gateway is going away; connect again"


async def test_a_failure_of_ours_is_told_in_a_line() -> None:
    def fail() -> None:
        raise RuntimeError("a fault of the service")

    async with world() as w:
        gateway = w.gateway(stream_enabled=True, stream_port=0)
        ports = dataclasses.replace(gateway.ports, expect_storage=fail)
        async with serving(ports) as port:
            assert await lines(port, b"") == ["# internal: something went wrong here; connect again"]
            await eventually(lambda: ports.connections.count == 0)


def test_a_port_without_keys_is_not_opened_beside_keys() -> None:
    with pytest.raises(pydantic.ValidationError, match="STREAM_ENABLED"):
        GatewaySettings(stream_enabled=True, api_keys="school=k1")
    assert GatewaySettings(stream_enabled=True, api_keys="school=k1", allow_anonymous=True).stream_enabled
    assert not GatewaySettings().stream_enabled
