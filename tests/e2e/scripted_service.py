"""A service for the page that answers as a test tells it: real HTTP and WebSocket, no recogniser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.auth.api_keys import SUBPROTOCOL
from gateway.http import page, verses
from gateway.settings import GatewaySettings
from shared.recitation.reference.passage import VerseRange, printed_words
from shared.service.http_server import serve

RATE = 16_000
_STATES = {
    "c": "correct",
    "m": "minor_mistake",
    "w": "wrong",
    "x": "missing",
    "p": "pending",
    "n": "not_judged",
}
WORD_S = 0.5
"""How long a word takes in scripted time."""


class Connection:
    """One WebSocket of the page, from the service's side."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        query = websocket.query_params
        self.query = dict(query)
        self.subprotocols: list[str] = websocket.scope["subprotocols"]
        self.range = VerseRange.of(int(query["surah"]), int(query["ayah"]), int(query["to"]))
        self.words = [(verse.key, word) for verse in self.range.verses() for word in printed_words(verse)]
        self.samples = int(query.get("offset", 0))
        self.sound = bytearray()
        self.texts: list[str] = []
        self.sounds: dict[int, str] = {}
        """What is heard instead of the sounds of "qul", by the index of the word."""
        self.closed = asyncio.Event()
        self._moved = asyncio.Condition()

    async def read(self) -> None:
        """Take what the page sends until it leaves."""
        try:
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                if message.get("bytes"):
                    self.samples += len(message["bytes"]) // 2
                    self.sound += message["bytes"]
                elif message.get("text"):
                    self.texts.append(message["text"])
                async with self._moved:
                    self._moved.notify_all()
        finally:
            self.closed.set()
            async with self._moved:
                self._moved.notify_all()

    async def heard(self, seconds: float) -> None:
        """Wait until the page has sent so much more sound."""
        wanted = self.samples + int(seconds * RATE)
        await self._until(lambda: self.samples >= wanted)

    async def asked(self, text: str) -> None:
        """Wait for a text frame."""
        await self._until(lambda: text in self.texts)

    async def send(self, **event: object) -> None:
        await self._websocket.send_text(json.dumps(event, ensure_ascii=False))

    async def pong(self) -> None:
        """Answer pings until the page leaves."""
        while not self.closed.is_set():
            await self._until(lambda: "ping" in self.texts)
            self.texts.remove("ping")
            await self.send(type="pong")

    async def ready(self, **fields: object) -> None:
        event: dict[str, object] = {
            "type": "ready",
            "session_id": "scripted-session",
            "connection_id": "0123456789abcdef",
            "verse_key": self.range.first.key,
            "passage": str(self.range),
            "words": [word for _, word in self.words],
            "window_seconds": 1.0,
            "epoch": "e1",
            "resumed": False,
            "next_seq": 0,
            "offset": self.samples,
        }
        await self.send(**(event | fields))

    async def partial(self, seq: int, states: str, **fields: object) -> None:
        """Word states by first letter (x: missing), as in "ccwx"; what is not named is pending."""
        event: dict[str, object] = {
            "type": "partial_result",
            "seq": seq,
            "partial_transcript": "",
            "server_busy": False,
            "word_feedback": self._entries(states),
            "latency_ms": {"buffer_ms": 1000, "queued_ms": 1, "inference_ms": 30, "total_ms": 40},
        }
        await self.send(**(event | fields))

    async def final(self, states: str, **fields: object) -> None:
        result = {
            "word_analysis": self._entries(states),
            "accuracy_score": 90.0,
            "verse_range": str(self.range),
        }
        await self.send(type="final_result", result=result | fields)

    async def error(self, code: str, **fields: object) -> None:
        await self.send(
            type="error", code=code, message=f"said by the service: {code}", fallback="", **fields
        )

    async def close(self, code: int) -> None:
        await self._websocket.close(code)

    def _entries(self, states: str) -> list[dict[str, Any]]:
        padded = states.ljust(len(self.words), "p")
        return [
            {
                "word": word,
                "status": _STATES[state],
                "final": state != "p",
                "index": index,
                "verse_key": key,
                "confidence": None if state in "pxn" else 0.9,
                "start_time": None if state in "pxn" else index * WORD_S,
                "end_time": None if state in "pxn" else (index + 1) * WORD_S,
                "heard": None if state in "pxn" else self.sounds.get(index, "q u l"),
            }
            for index, ((key, word), state) in enumerate(zip(self.words, padded, strict=True))
        ]

    async def _until(self, true: Callable[[], bool]) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: true() or self.closed.is_set())
        if not true():
            raise WebSocketDisconnect(1006)


Script = Callable[[Connection], Awaitable[None]]


async def ready_and_pong(connection: Connection) -> None:
    """A script: four words are right, then nothing but answers to pings."""
    await connection.ready()
    await connection.heard(0.5)
    await connection.partial(0, "cccc", pointer=4)
    await connection.pong()


class ScriptedService:
    """Runs one script for each connection of the page, the last one again and again."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self.connections: list[Connection] = []
        self.url = ""

    async def recite(self, websocket: WebSocket) -> None:
        connection = Connection(websocket)
        self.connections.append(connection)
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in connection.subprotocols else None)
        script = self._scripts[min(len(self.connections), len(self._scripts)) - 1]
        reading = asyncio.create_task(connection.read(), name="scripted-read")
        answering = asyncio.create_task(_to_the_end(script, connection), name="scripted-answers")
        await reading
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def _to_the_end(script: Script, connection: Connection) -> None:
    try:
        await script(connection)
        await connection.closed.wait()
    except (WebSocketDisconnect, RuntimeError):
        pass  # the page has left in the middle of the script


@asynccontextmanager
async def scripted(*scripts: Script, **settings: Any) -> AsyncIterator[ScriptedService]:
    """The page and its text on a free port, with these scripts behind `/ws/recite`."""
    service = ScriptedService(*scripts)
    routes = [
        WebSocketRoute("/ws/recite", service.recite),
        *verses.routes(),
        *page.routes(GatewaySettings(**settings)),
    ]
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            Starlette(routes=routes),
            "127.0.0.1",
            0,
            ready=port.set_result,
            stop=stop,
            shutdown_timeout_s=1,
            websockets=WebSocketsSansIOProtocol,
        ),
        name="scripted-service",
    )
    service.url = f"http://127.0.0.1:{await port}/"
    try:
        yield service
    finally:
        stop.set()
        await serving
