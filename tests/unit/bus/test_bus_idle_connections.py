"""Connections that lie idle in a pool: taken at once, and never with what does not belong to their user."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.bus.redis_connections import ConnectionLimits, open_client


async def until_something_came(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(5):
        while not reader.at_eof() and "bytes" not in repr(reader):  # noqa: ASYNC110 (a reader that nobody reads has no event)
            await asyncio.sleep(0.001)


def one_connection(url: str) -> Redis:
    return open_client(url, ConnectionLimits(max_connections=1, pool_wait_s=0.2))


async def idle(client: Any) -> Any:
    """The only connection of this client, back in its pool."""
    connection = await client.connection_pool.get_connection()
    await client.connection_pool.release(connection)
    return connection


async def test_one_that_has_ended_is_made_again(redis_url: str) -> None:
    client, other = one_connection(redis_url), one_connection(redis_url)
    connection, before = await idle(client), await client.client_id()
    await other.client_kill_filter(_id=str(before))
    await until_something_came(connection._reader)
    assert await client.client_id() != before
    await client.aclose()
    await other.aclose()


async def test_one_with_a_reply_that_nobody_read_is_made_again(redis_url: str) -> None:
    client: Any = one_connection(redis_url)
    before = await client.client_id()
    connection = await client.connection_pool.get_connection()
    await connection.send_command("ECHO", "of another caller")
    await until_something_came(connection._reader)
    await client.connection_pool.release(connection)
    assert await client.echo("mine") == b"mine"
    assert await client.client_id() != before
    await client.aclose()


async def test_a_reply_that_was_read_from_the_socket_but_not_taken_is_seen_too(redis_url: str) -> None:
    client: Any = one_connection(redis_url)
    connection = await client.connection_pool.get_connection()
    await connection.send_command("ECHO", "first")
    await connection.send_command("ECHO", "of another caller")
    await asyncio.wait_for(until_something_came(connection._reader), 5)
    while not connection._parser._reader.has_data():
        await connection._parser.read_from_socket()
    await client.connection_pool.release(connection)
    assert await client.echo("mine") == b"mine"
    await client.aclose()


async def test_one_that_nothing_came_on_is_kept(redis_url: str) -> None:
    client = one_connection(redis_url)
    assert await client.client_id() == await client.client_id()
    await client.aclose()


async def test_who_waits_for_one_gets_it_before_who_comes_later(redis_url: str) -> None:
    client: Any = one_connection(redis_url)
    pool, order = client.connection_pool, list[str]()

    async def take(name: str) -> None:
        connection = await pool.get_connection()
        order.append(name)
        await pool.release(connection)

    held = await pool.get_connection()
    first = asyncio.create_task(take("first"))
    while not pool._waiting:  # noqa: ASYNC110 (a caller that waits has no event)
        await asyncio.sleep(0)
    await pool.release(held)
    await asyncio.gather(first, take("second"))
    assert order == ["first", "second"]
    await client.aclose()


async def test_who_waits_too_long_is_told_and_no_longer_counts(redis_url: str) -> None:
    client: Any = one_connection(redis_url)
    held = await client.connection_pool.get_connection()
    with pytest.raises(RedisConnectionError, match="No connection available"):
        await client.ping()
    await client.connection_pool.release(held)
    assert client.connection_pool._waiting == 0
    assert await client.ping()
    await client.aclose()
