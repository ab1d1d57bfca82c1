"""Every form of `REDIS_URL`: what is understood, and the sentence for what is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio.connection import SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from cli.embedded_redis import EmbeddedRedis, embedded_redis_binary
from cli.ports import free_port
from shared.bus.redis_addresses import options_of, parse_urls
from shared.bus.redis_connections import ConnectionLimits, RedisConnections, command, open_client
from shared.bus.redis_pools import open_pool
from shared.bus.redis_sessions import RedisSessionStore
from tests.contract.bus_harness import a_record

SENTINELS = "redis+sentinel://u:p%40ss@one:26379,two:26380/mymaster/2"


def test_a_list_may_mix_servers_and_sentinels() -> None:
    listed = f" redis://a:1/0 , {SENTINELS},rediss://b:2, unix:///run/redis.sock,"
    assert parse_urls(listed) == ("redis://a:1/0", SENTINELS, "rediss://b:2", "unix:///run/redis.sock")


def test_a_sentinel_address_is_understood() -> None:
    options = options_of(SENTINELS + "?sentinel_password=hidden")
    watched = [sentinel.connection_pool.connection_kwargs for sentinel in options["sentinel"].sentinels]
    assert [(kwargs["host"], kwargs["port"]) for kwargs in watched] == [("one", 26379), ("two", 26380)]
    assert {kwargs["password"] for kwargs in watched} == {"hidden"}
    assert (options["service"], options["db"]) == ("mymaster", 2)
    assert (options["username"], options["password"]) == ("u", "p@ss")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "empty"),
        (" , ", "empty"),
        ("nonsense", "must list redis://"),
        ("redis+cluster://a:1", "Redis Cluster cannot be used"),
        ("redis://a:1/0,redis-cluster://b:2", "independent servers"),
        ("redis+sentinel://one:26379", "then the service"),
        ("redis+sentinel://one:port/mymaster", "no port"),
        ("redis+sentinel://one/mymaster/db", "then the service"),
        ("redis+sentinel://one/mymaster?sentinel_pasword=x", "sentinel_pasword"),
        ("redis://a:1/0,redis://a:1/0", "twice"),
    ],
)
def test_what_is_wrong_is_said(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_urls(url)


def test_a_password_is_in_no_message() -> None:
    with pytest.raises(ValueError, match="must list") as refused:
        parse_urls("http://user:s3cret@host/0")
    assert "s3cret" not in str(refused.value)


def test_tls_keeps_its_options() -> None:
    pool = open_pool("rediss://u:p@a:1/0?ssl_cert_reqs=none", 2, 1, 1.0, 1.0)
    assert issubclass(pool.connection_class, SSLConnection)
    assert pool.connection_kwargs["ssl_cert_reqs"] == "none"


async def test_user_and_password_work() -> None:
    async with EmbeddedRedis() as server:
        admin = open_client(server.url)
        await command(admin, "ACL SETUSER", "rattil", "on", ">s3cret", "~*", "&*", "+@all")
        connections = RedisConnections(f"redis://rattil:s3cret@127.0.0.1:{server.port}/0")
        await connections.ping()
        assert await command(connections.shards[0].commands, "ACL WHOAMI") == "rattil"
        await connections.close()
        await admin.aclose(close_connection_pool=True)


async def test_sentinels_lead_to_the_new_primary_after_a_failover(tmp_path: Path) -> None:
    async with EmbeddedRedis() as primary, EmbeddedRedis() as replica:
        follower = open_client(replica.url)
        await command(follower, "REPLICAOF", "127.0.0.1", str(primary.port))
        port = free_port()
        config = tmp_path / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor main 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
        )
        watcher = await asyncio.create_subprocess_exec(
            str(embedded_redis_binary()), str(config), "--sentinel", stdout=asyncio.subprocess.DEVNULL
        )
        try:
            connections = RedisConnections(f"redis+sentinel://127.0.0.1:{port}/main/0", ConnectionLimits())
            store = RedisSessionStore(connections)
            await _until_it_works(store, "before")
            await _until_replicated(primary)
            primary.kill()
            await _until_it_works(store, "after")
            found = await command(follower, "EXISTS", f"streaming:session:{{{a_record().session_id}}}")
            await connections.close()
        finally:
            watcher.terminate()
            await watcher.wait()
            await follower.aclose(close_connection_pool=True)
    assert found == 1


async def test_a_demoted_server_is_left() -> None:
    """Its address leads elsewhere by now: a connection that stays would be refused for ever."""
    async with EmbeddedRedis() as server:
        client = open_client(server.url)
        await command(client, "SET", "key", "value")
        [before] = client.connection_pool._available_connections
        await command(client, "REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(RedisConnectionError, match="replica"):
            await command(client, "SET", "key", "value")
        assert not before.is_connected
        await client.aclose(close_connection_pool=True)


async def test_when_one_connection_has_broken_the_idle_ones_are_given_up() -> None:
    async with EmbeddedRedis() as server:
        client = open_client(server.url)
        await asyncio.gather(*(command(client, "PING") for _ in range(5)))
        idle = list(client.connection_pool._available_connections)
        assert len([connection for connection in idle if connection.is_connected]) > 1
        server.kill()
        with pytest.raises(RedisConnectionError):
            await command(client, "PING")
        assert not any(connection.is_connected for connection in idle)
        await client.aclose(close_connection_pool=True)


async def _until_it_works(store: RedisSessionStore, epoch: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                record = a_record(epoch=epoch)
                await store.reopen(record)
                return
            except Exception:  # whatever it says while nobody is primary
                await asyncio.sleep(0.1)


async def _until_replicated(primary: EmbeddedRedis) -> None:
    client = open_client(primary.url)
    async with asyncio.timeout(10):
        while await command(client, "WAIT", 1, 200) < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await client.aclose(close_connection_pool=True)
