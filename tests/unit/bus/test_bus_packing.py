"""What goes to Redis is what redis-py would send, however it is packed."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import DataError
from redis.exceptions import TimeoutError as RedisTimeout

from shared.bus.redis_connections import ConnectionLimits, open_client


def ours() -> Any:
    """An unconnected connection as Rattil's clients use it."""
    pool = open_client("redis://localhost:1/0", ConnectionLimits()).connection_pool
    return pool.connection_class(**pool.connection_kwargs)


@pytest.mark.parametrize(
    "command",
    [
        ("PING",),
        ("SCRIPT LOAD", b"return 1"),
        (b"SCRIPT LOAD", b"return 1"),
        ("EVALSHA", "0" * 40, 2, "rattil:{s}", "عَمَّ", -1, 1.5, 1e-9, b"", "", b"\x00\r\n\xff" * 5000),
        ("XADD", "stream", "*", "audio", b"\x00\r\n\xff" * 20_000, "seq", 7),
        ("MSET", "a", b"\r\n" * 5000, b"b" * 9000, bytes(8192), "c", "d" * 9000),
        ("SET", "key", memoryview(b"audio")),
        ("HSET", "key", b"large" * 5000, memoryview(b"audio")),
    ],
)
def test_a_command_is_packed_as_redis_py_packs_it(command: tuple[Any, ...]) -> None:
    theirs = b"".join(Connection().pack_command(*command))
    assert b"".join(ours().pack_command(*command)) == theirs
    assert b"".join(ours().pack_commands([command, command])) == theirs + theirs


def test_what_is_no_argument_is_refused_as_redis_py_refuses_it() -> None:
    with pytest.raises(DataError):
        ours().pack_command("SET", "key", None)


def test_audio_is_sent_from_where_it_is() -> None:
    audio = bytes(80_000)
    assert any(piece is audio for piece in ours().pack_command("XADD", "stream", "*", "audio", audio))


@pytest.mark.parametrize("size", [10, 20_000_000])
async def test_a_redis_that_reads_nothing_is_given_up_in_time(size: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, and nothing from them
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        client = open_client(url, ConnectionLimits(reply_s=0.3))
        with pytest.raises(RedisTimeout):
            await client.set("key", bytes(size))
        await client.aclose()
