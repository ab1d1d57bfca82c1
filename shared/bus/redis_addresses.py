"""Addresses of Redis servers: a list of shards, each one server or a group watched by Sentinels.

`redis://`, `rediss://` (TLS) and `unix://` name a server, with user, password and database as redis-py
reads them. `redis+sentinel://[user:password@]host:port,host:port/service[/db]` names Sentinels and the
service whose primary is meant (`rediss+sentinel://`: TLS to that);
`?sentinel_username=…&sentinel_password=…` log in to them.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import Sentinel

_BETWEEN_SHARDS = re.compile(r",(?=\s*[a-z+-]+://)|,\s*$|,(?=\s*,)", re.IGNORECASE)
"""Sentinels of one shard are separated by commas, too: what follows one between shards is a scheme."""

_SERVERS = ("redis://", "rediss://", "unix://")
_SENTINELS = ("redis+sentinel://", "rediss+sentinel://")
_SENTINEL_PORT = 26379


def parse_urls(redis_url: str) -> tuple[str, ...]:
    """The shards of a `REDIS_URL` list, in order. Raises `ValueError`, with a sentence, for anything else."""
    urls = tuple(url.strip(" ,") for url in _BETWEEN_SHARDS.split(redis_url) if url.strip(" ,"))
    if not urls:
        raise ValueError("REDIS_URL is empty: give at least one redis://host:port/db")
    for url in urls:
        options_of(url)
    if len(set(urls)) != len(urls):
        raise ValueError("REDIS_URL names the same shard twice")
    return urls


def options_of(url: str) -> dict[str, Any]:
    """What redis-py's connections are made with: `sentinel` and `service`, or where the server is.

    Raises `ValueError`; passwords are not in its message.
    """
    scheme = url.partition("://")[0].lower()
    if "cluster" in scheme:
        raise ValueError(
            "a Redis Cluster cannot be used: a session's scripts touch two of its slots. Give several "
            "independent servers instead, separated by commas: redis://one:6379/0,redis://two:6379/0"
        )
    if url.startswith(_SENTINELS):
        return _sentinel_options(url)
    if not url.startswith(_SERVERS):
        raise ValueError(
            f"REDIS_URL must list redis://, rediss://, unix:// or redis+sentinel:// addresses, not {scheme!r}"
        )
    return dict(parse_url(url))


def _sentinel_options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    service, _, db = parts.path.strip("/").partition("/")
    sentinels = [_host_and_port(host) for host in hosts.split(",") if host]
    if not sentinels or not service or not (db or "0").isdigit():
        raise ValueError(
            "a Sentinel address is redis+sentinel://host:26379,host:26379/service/db: hosts, then the service"
        )
    query = dict(parse_qsl(parts.query))
    unknown = query.keys() - {"sentinel_username", "sentinel_password"}
    if unknown:
        raise ValueError(f"a Sentinel address does not know {', '.join(sorted(unknown))}")
    of_sentinels = {name.removeprefix("sentinel_"): value for name, value in query.items()}
    return {
        "sentinel": _sentinel(sentinels, {**of_sentinels, **_PATIENCE}),
        "service": service,
        "tls": url.startswith("rediss+"),
        "username": unquote(user) or None,
        "password": unquote(password) or None,
        "db": int(db or 0),
    }


_PATIENCE = {"socket_connect_timeout": 1.0, "socket_timeout": 1.0}
"""For one Sentinel, seconds: the next one is asked after it."""


def _sentinel(hosts: list[tuple[str, int]], options: dict[str, Any]) -> Sentinel:
    return Sentinel(hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = (
        text.rpartition(":") if ":" in text.rpartition("]")[2] else (text, "", str(_SENTINEL_PORT))
    )
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError(f"{port[:10]!r} is no port of a Sentinel")
    return host.strip("[]"), int(port)
