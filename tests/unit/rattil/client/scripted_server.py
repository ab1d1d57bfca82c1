"""A gateway that follows a script: enough of the recitation dialect to try out what clients do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve

Act = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One connection of the client, as an act of the script sees it."""

    def __init__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.socket = socket
        address = urlsplit(socket.request.path)
        self.path = address.path
        self.query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.headers = socket.request.headers
        self.pcm = b""
        self.commands: list[str] = []

    async def say(self, **event: object) -> None:
        await self.socket.send(json.dumps(event))

    async def ready(self, *, resumed: bool = False, offset: int = 0, next_seq: int = 0) -> None:
        await self.say(
            type="ready",
            session_id="session-1",
            epoch="e1",
            words=["one", "two"],
            resumed=resumed,
            offset=offset,
            next_seq=next_seq,
        )

    async def partial(self, seq: int, *statuses: str) -> None:
        feedback = [{"word": f"w{i}", "status": status} for i, status in enumerate(statuses)]
        await self.say(type="partial_result", seq=seq, word_feedback=feedback)

    async def final(self) -> None:
        analysis = [{"word": "one", "status": "correct"}, {"word": "two", "status": "correct"}]
        await self.say(type="final_result", result={"word_analysis": analysis, "accuracy_score": 100.0})

    async def hear(self, samples: int) -> None:
        """Read frames until this connection has brought so many samples."""
        while len(self.pcm) < samples * 2:
            frame = await self.socket.recv()
            assert isinstance(frame, bytes)
            self.pcm += frame

    async def hear_to_the_end(self) -> None:
        """Read frames until a text frame comes."""
        while True:
            frame = await self.socket.recv()
            if isinstance(frame, str):
                self.commands.append(frame)
                return
            self.pcm += frame


class ScriptedServer:
    """Plays one act per connection; `visits` keeps what each brought."""

    def __init__(self, acts: list[Act]) -> None:
        self._acts = acts
        self.visits: list[Visit] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def handle(self, socket: ServerConnection) -> None:
        visit = Visit(socket)
        self.visits.append(visit)
        await self._acts[len(self.visits) - 1](visit)


@asynccontextmanager
async def scripted_server(*acts: Act) -> AsyncIterator[ScriptedServer]:
    """A server on a free port for the length of the `with`."""
    server = ScriptedServer(list(acts))
    async with serve(server.handle, "127.0.0.1", 0, compression=None) as listening:
        server.port = next(iter(listening.sockets)).getsockname()[1]
        yield server
    await asyncio.sleep(0)
