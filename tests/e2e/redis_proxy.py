"""A TCP proxy in front of one Redis, to cut the line where it hurts."""

from __future__ import annotations

import asyncio
import random
from types import TracebackType

CHUNK = 65_536


class RedisProxy:
    """Forwards bytes both ways. `cut` breaks connections, `lose_reply` swallows an answer first, `delay`
    holds one request back, `lead_to` sends all to another server, as a failover does."""

    def __init__(self, redis_port: int) -> None:
        self._redis_port = redis_port
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._lines: set[asyncio.Task[None]] = set()
        self._marks: list[bytes] = []
        self._delays: list[tuple[bytes, float]] = []
        self._swallowed: set[asyncio.StreamWriter] = set()
        self.lost_replies = 0
        self.delayed_requests = 0

    @property
    def url(self) -> str:
        assert self._server is not None, "started by `async with`"
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    def cut(self, share: float, rng: random.Random) -> None:
        """Break each connection with this probability; new ones are let through."""
        for client, upstream in list(self._writers.items()):
            if rng.random() < share:
                client.transport.abort()
                upstream.transport.abort()

    def lose_reply(self, mark: bytes) -> None:
        """The next request that holds `mark` reaches Redis, but its connection breaks before the reply."""
        self._marks.append(mark)

    def delay(self, mark: bytes, seconds: float) -> None:
        """The next request that holds `mark` reaches Redis so much later, whether or not its sender waits."""
        self._delays.append((mark, seconds))

    def black_hole(self) -> None:
        """Nothing passes over the connections there are, in either direction, and nobody is told."""
        self._swallowed = set(self._writers)

    def lead_to(self, redis_port: int) -> None:
        """From now on this server is the one behind the address; connections to the old one break."""
        self._redis_port = redis_port
        self.cut(1.0, random.Random())

    async def __aenter__(self) -> RedisProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut(1.0, random.Random())
        await asyncio.gather(*self._lines, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None
        self._lines.add(line)
        try:
            answers, upstream = await asyncio.open_connection("127.0.0.1", self._redis_port)
        except OSError:
            client.transport.abort()
            self._lines.discard(line)
            return
        self._writers[client] = upstream
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(reader, client, answers, upstream), name="proxy-up")
                both.create_task(self._answers(answers, client), name="proxy-down")
        except* (OSError, EOFError):
            pass
        finally:
            client.transport.abort()
            upstream.transport.abort()
            del self._writers[client]
            self._lines.discard(line)

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> None:
        while data := await reader.read(CHUNK):
            mark = next((mark for mark in self._marks if mark in data), None)
            if mark is not None:
                self._marks.remove(mark)
                self.lost_replies += 1
                client.transport.abort()  # before Redis hears of it: no reply can slip through
            held = next((held for held in self._delays if held[0] in data), None)
            if held is not None:
                self._delays.remove(held)
                self.delayed_requests += 1
                await asyncio.sleep(held[1])
            if client in self._swallowed:
                continue
            upstream.write(data)
            await upstream.drain()
            if mark is not None:
                await asyncio.sleep(0.2)
        raise EOFError

    async def _answers(self, answers: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await answers.read(CHUNK):
            if client in self._swallowed:
                continue
            client.write(data)
            await client.drain()
        raise EOFError
