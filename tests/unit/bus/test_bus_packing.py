"""What goes to Redis is what redis-py would send, however it is packed."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import DataError

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
        ("SET", "key", memoryview(b"audio")),
    ],
)
def test_a_command_is_packed_as_redis_py_packs_it(command: tuple[Any, ...]) -> None:
    theirs = b"".join(Connection().pack_command(*command))
    assert b"".join(ours().pack_command(*command)) == theirs
    assert b"".join(ours().pack_commands([command, command])) == theirs + theirs


def test_what_is_no_argument_is_refused_as_redis_py_refuses_it() -> None:
    with pytest.raises(DataError):
        ours().pack_command("SET", "key", None)
