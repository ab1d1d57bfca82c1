"""Pools of connections to one Redis, which leave what is dead or demoted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import hiredis
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

from shared.bus.redis_addresses import options_of

_LARGE = 8192
"""Arguments of so many bytes, as the audio of a window, are sent from where they are: `hiredis` would copy
each of them three times."""
_ROOM = 65_536
"""Bytes that may wait in a connection's transport before its sender waits, too: asyncio's high-water mark."""
_END_OF_LINE = b"\r\n"


class _SendsCheaply(AbstractConnection):
    """redis-py packs the commands of its asyncio connections in Python, argument by argument. A push has more
    than 50 of them: that took longer than everything else which the session store does for it. And it sends
    each in a task of its own, for the timeout; nothing has to be waited for while the transport has room."""

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        if self._writer is None or isinstance(command, bytes | str):
            await super().send_packed_command(command, check_health)
            return
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        self._writer.writelines(command)
        if self._writer.transport.get_write_buffer_size() > _ROOM:
            await super().send_packed_command((), check_health=False)

    async def can_read_destructive(self) -> bool:
        """Whether an idle connection has something to read: its end, or a reply that nobody waits for.

        redis-py finds out by a read that it cancels at once: an exception and two turns of the loop for
        every command.
        """
        if _nothing_came(self._reader) and not _has_replies(self._parser):
            return False
        return await super().can_read_destructive()  # type: ignore[no-untyped-call,no-any-return]

    def pack_command(self, *args: Any) -> list[bytes]:
        name, *others = args
        parts = (*name.split(), *others)
        try:
            if any([type(part) is bytes and len(part) >= _LARGE for part in parts]):
                return _packed_around(parts)
            return [hiredis.pack_command(parts)]
        except TypeError:  # a type that it does not know: redis-py packs it, or says what is wrong
            return super().pack_command(*args)


def _nothing_came(reader: asyncio.StreamReader | None) -> bool:
    """False also where it cannot be told: then redis-py looks itself."""
    if reader is None or reader.exception() is not None or reader.at_eof():
        return False
    return not getattr(reader, "_buffer", True)


def _has_replies(parser: object) -> bool:
    """Whether replies came that were not asked for; True also where it cannot be told."""
    replies = getattr(parser, "_reader", None)
    return not isinstance(replies, hiredis.Reader) or bool(replies.has_data())


def _packed_around(parts: tuple[Any, ...]) -> list[bytes]:
    """A command in pieces: its large arguments as they are, and what comes between them.

    In RESP a command is the number of its arguments, then the length of each and the argument itself.
    Raises `TypeError` for what hiredis cannot pack.
    """
    packed: list[bytes] = []
    before, small = b"*%d\r\n" % len(parts), list[Any]()
    for part in parts:
        if type(part) is bytes and len(part) >= _LARGE:
            packed += (b"%b%b$%d\r\n" % (before, _arguments(small), len(part)), part)
            before, small = _END_OF_LINE, list[Any]()
        else:
            small.append(part)
    return [*packed, before + _arguments(small)]


def _arguments(parts: list[Any]) -> bytes:
    """Packed arguments without the line that says how many they are."""
    if not parts:
        return b""
    packed: bytes = hiredis.pack_command(tuple(parts))
    return packed[packed.index(_END_OF_LINE) + 2 :]


class _LeavesReplicas(_SendsCheaply):
    """A primary that was demoted answers reads and refuses writes for as long as the connection stands; the
    address, or its Sentinels, lead to the new primary."""

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().read_response(*args, **kwargs)
        except ResponseError as error:
            if not isinstance(error, ReadOnlyError) and "READONLY" not in str(error):
                raise
            await self.disconnect(nowait=True)
            raise RedisConnectionError("this Redis has become a replica; a failover is under way") from error


class _AsksSentinels(Connection):
    """Looks for the primary of `service` each time it connects."""

    def __init__(self, *, sentinel: Sentinel, service: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sentinel = sentinel
        self._service = service

    async def connect(self) -> None:
        if not self.is_connected:
            try:
                self.host, self.port = await self._sentinel.discover_master(self._service)
            finally:
                for watcher in self._sentinel.sentinels:  # they are asked rarely: nothing stays open
                    await watcher.connection_pool.disconnect()
        await super().connect()  # type: ignore[no-untyped-call]


class _Plain(_LeavesReplicas, Connection): ...


class _Tls(_LeavesReplicas, SSLConnection): ...


class _Unix(_LeavesReplicas, UnixDomainSocketConnection): ...


class _Watched(_LeavesReplicas, _AsksSentinels): ...


class _WatchedTls(_LeavesReplicas, _AsksSentinels, SSLConnection): ...


class SuspiciousPool(BlockingConnectionPool):
    """Waits for a free connection. When one has broken, those that lie idle are given up, too: each of them
    would be found dead only after a time-out of its own."""

    _waiting = 0

    async def get_connection(self, *args: Any, **kwargs: Any) -> AbstractConnection:
        """At once if one is free and nobody waits: the pool's lock is for those who must."""
        if self._waiting or not self.can_get_connection():
            self._waiting += 1
            try:
                waited: AbstractConnection = await super().get_connection()
            finally:
                self._waiting -= 1
            return waited
        free: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(free)
        except BaseException:
            await self.release(free)
            raise
        return free

    async def release(self, connection: AbstractConnection) -> None:
        broken = not connection.is_connected
        await super().release(connection)
        if broken:
            for idle in list(self._available_connections):
                await idle.disconnect(nowait=True)


def open_pool(
    url: str, max_connections: int, wait_s: float, connect_s: float, reply_s: float
) -> SuspiciousPool:
    """Connections for commands; a caller waits up to `wait_s` for one. Raises `ValueError` (bad address)."""
    options = {"timeout": wait_s, **_options(url, connect_s, reply_s)}
    return SuspiciousPool(max_connections=max_connections, **options)


def open_dedicated(url: str, max_connections: int, connect_s: float, reply_s: float) -> ConnectionPool:
    """Connections that are each held by one reader: blocking stream reads and pub/sub."""
    return ConnectionPool(max_connections=max_connections, **_options(url, connect_s, reply_s))


def _options(url: str, connect_s: float, reply_s: float) -> dict[str, Any]:
    options = options_of(url)
    tls, given = options.pop("tls", False), options.pop("connection_class", None)
    kind: type[AbstractConnection] = _Plain
    if "sentinel" in options:
        kind = _WatchedTls if tls else _Watched
    elif given is not None and issubclass(given, SSLConnection):
        kind = _Tls
    elif "path" in options:
        kind = _Unix
    timeouts: dict[str, Any] = {"socket_timeout": reply_s, "socket_connect_timeout": connect_s}
    if kind is not _Unix:
        timeouts["socket_keepalive"] = True
    return {"connection_class": kind, "protocol": 2, **timeouts, **options}
