"""The clients of the pages of the simpler streaming protocols, against real services and Whisper base."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import pytest

from shared.audio.decode import decode_file
from tests.e2e.system import system
from tests.e2e.talk import MOST_WRONG, SAMPLE, SLOW_MODEL, documented_client, wrong_words

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def over_tcp(port: int, pcm: bytes) -> str:
    """As netcat with a file: send, close the sending half, read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(pcm)
    writer.write_eof()
    received = (await reader.read()).decode()
    writer.close()
    return re.sub(r"(?m)^\d+ \d+ ", "", received)


async def test_simple_clients_are_served_on_their_ports(tmp_path: Path) -> None:
    pcm = decode_file(SAMPLE)
    tcp, websocket, whisperlive = free_port(), free_port(), free_port()
    ports = {
        "STREAM_ENABLED": "true",
        "STREAM_LANGUAGE": "en",
        "STREAM_PORT": str(tcp),
        "STREAM_WS_PORT": str(websocket),
        "WHISPERLIVE_PORT": str(whisperlive),
    }
    said: dict[str, str] = {}
    async with system(env=SLOW_MODEL | ports):
        said["tcp"] = await over_tcp(tcp, pcm)
        for page, old, new in (
            ("committed-lines", "127.0.0.1:43008", f"127.0.0.1:{websocket}"),
            ("whisperlive", "127.0.0.1:9090", f"127.0.0.1:{whisperlive}"),
        ):
            printed = await documented_client(page, pcm, tmp_path, {old: new})
            said[page] = re.sub(r"(?m)^ *[0-9.]+ ", "", printed)
    assert {name: text for name, text in said.items() if wrong_words(text) > MOST_WRONG} == {}
