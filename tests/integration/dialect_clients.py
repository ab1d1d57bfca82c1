"""One way to speak every streaming dialect: open, send, end, and what was told, in common words."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from gateway.app import build_stream
from gateway.dialects.committed_lines.dialect import serving
from tests.unit.gateway.harness import WAIT_S, Client, Gateway

Event = dict[str, Any]


class Final(NamedTuple):
    """Words that stand; times in seconds."""

    start: float
    end: float
    text: str


class Told(NamedTuple):
    """A whole conversation from the client's side. `code`: of the close, -1 where there is none."""

    events: list[Event]
    code: int


class Gone(Exception):
    """The server has closed the connection: what is sent is not read any more."""


class Conversation(Protocol):
    """One client's connection."""

    async def send(self, frame: str | bytes) -> None:
        """Raises `Gone`."""
        ...

    async def rest(self) -> Told:
        """Everything up to the end."""
        ...


class DialectClient(Protocol):
    """How to speak one dialect. `texts`, `binaries`: frames that it understands, to be changed by chance.
    `bad_text`: None where any bytes are audio."""

    @property
    def name(self) -> str: ...

    @property
    def end(self) -> str | bytes: ...

    @property
    def texts(self) -> Sequence[str]: ...

    @property
    def bad_text(self) -> str | None: ...

    async def open(self, gateway: Gateway, language: str = "ar") -> Conversation: ...

    async def open_anyhow(self, gateway: Gateway, query: str, first: str | bytes) -> Conversation:
        """With an address, or a first message, that may be anything."""
        ...

    def finals(self, events: Sequence[Event]) -> list[Final]: ...

    def errors(self, events: Sequence[Event]) -> list[str]:
        """The sentences of errors and warnings in the dialect's own shape."""
        ...

    def says_reconnect(self, told: Told) -> bool: ...


@dataclass
class Socket:
    """A conversation over a WebSocket of the application."""

    client: Client

    async def send(self, frame: str | bytes) -> None:
        sending = asyncio.create_task(self.client.send(frame))
        await asyncio.wait({sending, self.client.task}, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            sending.cancel()
            raise Gone
        await sending

    async def rest(self) -> Told:
        closed = await self.client.rest()
        return Told(self.client.events, closed.code)


def _socket(gateway: Gateway, app: Any, path: str) -> Socket:
    client = Client(app, path)
    gateway.clients.append(client)
    return Socket(client)


class Transcriptions:
    name = "transcriptions"
    end = '{"type":"end"}'
    texts = ('{"type":"flush"}', '{"type":"ping"}', "flush", "ping")
    bad_text: str | None = '{"type":"what"}'
    path = "/v1/audio/transcriptions/stream"

    async def open(self, gateway: Gateway, language: str = "ar") -> Conversation:
        return _socket(gateway, gateway.app, f"{self.path}?language={language}")

    async def open_anyhow(self, gateway: Gateway, query: str, first: str | bytes) -> Conversation:
        return _socket(gateway, gateway.app, f"{self.path}?{query}")

    def finals(self, events: Sequence[Event]) -> list[Final]:
        return [
            Final(event["start"], event["end"], event["text"])
            for event in events
            if event["type"] == "transcript.final"
        ]

    def errors(self, events: Sequence[Event]) -> list[str]:
        return [
            event["message"] for event in events if event["type"] in ("warning", "error") and event["code"]
        ]

    def says_reconnect(self, told: Told) -> bool:
        return told.code == 4001


class Recite(Transcriptions):
    """Not a transcript: it has no finals here."""

    name = "recite"
    path = "/ws/recite"
    texts = ('{"type":"flush"}', '{"type":"ping"}', '{"type":"peek","word_index":1}', "ping")

    async def open(self, gateway: Gateway, language: str = "ar") -> Conversation:
        return _socket(gateway, gateway.app, f"{self.path}?surah=1&ayah=1&to=7")

    def finals(self, events: Sequence[Event]) -> list[Final]:
        return []


class Deepgram:
    name = "deepgram"
    end = '{"type":"CloseStream"}'
    texts = ('{"type":"KeepAlive"}', '{"type":"Finalize"}', '{"type":"Finalize","channel":0}')
    bad_text: str | None = '{"type":"Configure","features":{}}'

    async def open(self, gateway: Gateway, language: str = "ar") -> Conversation:
        asked = {
            "encoding": "linear16",
            "sample_rate": 16000,
            "language": language,
            "interim_results": "true",
        }
        return _socket(gateway, gateway.app, f"/v1/listen?{urlencode(asked)}")

    async def open_anyhow(self, gateway: Gateway, query: str, first: str | bytes) -> Conversation:
        return _socket(gateway, gateway.app, f"/v1/listen?{query}")

    def finals(self, events: Sequence[Event]) -> list[Final]:
        results = [event for event in events if event["type"] == "Results" and event["is_final"]]
        return [
            Final(
                one["start"], one["start"] + one["duration"], one["channel"]["alternatives"][0]["transcript"]
            )
            for one in results
            if one["channel"]["alternatives"][0]["transcript"]
        ]

    def errors(self, events: Sequence[Event]) -> list[str]:
        return [event["description"] for event in events if event["type"] == "Error" and event["variant"]]

    def says_reconnect(self, told: Told) -> bool:
        return told.code == 1012


class WhisperLive:
    name = "whisperlive"
    end = b"END_OF_AUDIO"
    texts = ('{"uid":"u","language":"ar"}', "END_OF_AUDIO")
    bad_text: str | None = "hello"

    async def open(self, gateway: Gateway, language: str = "ar") -> Conversation:
        options = json.dumps({"uid": "u", "language": language, "audio_format": "int16"})
        return await self.open_anyhow(gateway, "", options)

    async def open_anyhow(self, gateway: Gateway, query: str, first: str | bytes) -> Conversation:
        socket = _socket(gateway, gateway.app, f"/ws/whisperlive?{query}")
        await socket.send(first)
        return socket

    def finals(self, events: Sequence[Event]) -> list[Final]:
        """As its client keeps them; each completed segment must be the same in every message."""
        seen: dict[float, Final] = {}
        for segment in [one for event in events for one in event.get("segments", []) if one["completed"]]:
            final = Final(float(segment["start"]), float(segment["end"]), segment["text"])
            assert seen.setdefault(final.start, final) == final
        return list(seen.values())

    def errors(self, events: Sequence[Event]) -> list[str]:
        return [
            str(event["message"]) for event in events if event.get("status") in ("WARNING", "ERROR", "WAIT")
        ]

    def says_reconnect(self, told: Told) -> bool:
        return told.code == 1012


class CommittedMessages:
    name = "committed_messages"
    end = "end"
    texts = ("flush", " FLUSH ")
    bad_text: str | None = "hello"

    async def open(self, gateway: Gateway, language: str = "ar") -> Conversation:
        return await self.open_anyhow(gateway, "", "")

    async def open_anyhow(self, gateway: Gateway, query: str, first: str | bytes) -> Conversation:
        return _socket(gateway, build_stream(gateway.ports), f"/?{query}")

    def finals(self, events: Sequence[Event]) -> list[Final]:
        return [
            Final(event["beg_ms"] / 1000, event["end_ms"] / 1000, event["text"])
            for event in events
            if event["type"] == "final"
        ]

    def errors(self, events: Sequence[Event]) -> list[str]:
        return [event["message"] for event in events if event["type"] == "error" and event["code"]]

    def says_reconnect(self, told: Told) -> bool:
        return told.code == 4001


class TcpConversation:
    """A real TCP connection, and its server. An empty binary frame closes the sending half."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done = asyncio.Event()
        self._task = asyncio.create_task(self._serve(), name="tcp-conversation")

    async def _serve(self) -> None:
        async with serving(self._gateway.ports) as port:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
            self._opened.set_result(None)
            await self._done.wait()
            self._writer.close()

    async def opened(self) -> TcpConversation:
        await self._opened
        return self

    async def send(self, frame: str | bytes) -> None:
        try:
            if not frame:
                self._writer.write_eof()
                return
            self._writer.write(frame.encode() if isinstance(frame, str) else frame)
            await self._writer.drain()
        except OSError as error:
            raise Gone from error

    async def rest(self) -> Told:
        async with asyncio.timeout(WAIT_S):
            lines = (await self._reader.read()).decode().splitlines()
        self._done.set()
        await self._task
        return Told([{"line": line} for line in lines], -1)


class CommittedLines:
    name = "committed_lines"
    end = b""
    texts = ()
    bad_text: str | None = None

    async def open(self, gateway: Gateway, language: str = "ar") -> Conversation:
        return await TcpConversation(gateway).opened()

    async def open_anyhow(self, gateway: Gateway, query: str, first: str | bytes) -> Conversation:
        return await self.open(gateway)

    def finals(self, events: Sequence[Event]) -> list[Final]:
        parts = [event["line"].split(" ", 2) for event in events if not event["line"].startswith("#")]
        return [Final(int(begin) / 1000, int(end) / 1000, text) for begin, end, text in parts]

    def errors(self, events: Sequence[Event]) -> list[str]:
        return [event["line"][2:] for event in events if event["line"].startswith("# ")]

    def says_reconnect(self, told: Told) -> bool:
        last: str = told.events[-1]["line"]
        return last == "# draining: this gateway is going away; connect again"


@dataclass
class Base64Socket(Socket):
    """Sound goes into JSON; every second piece as a binary frame, which is understood, too."""

    pieces: int = 0

    async def send(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self.pieces += 1
            if self.pieces % 2:
                data = {"audio": base64.b64encode(frame).decode(), "metadata": {"sample_rate": 16_000}}
                frame = json.dumps({"type": "audio", "data": data, "timestamp": 0.2 * self.pieces})
        await super().send(frame)


class Stream:
    """A recitation. Its finals are the words of the passage that are settled as correct."""

    name = "stream"
    end = '{"type":"end","data":{},"timestamp":1}'
    texts = (
        '{"type":"audio","data":{"audio":"AAAA","metadata":{"device":"phone"}},"timestamp":1}',
        '{"type":"metadata","data":{"sample_rate":16000}}',
        '{"type":"flush"}',
        '{"type":"ping"}',
        '{"type":"pong","timestamp":0}',
    )
    bad_text: str | None = '{"type":"what"}'

    async def open(self, gateway: Gateway, language: str = "ar") -> Conversation:
        return await self.open_anyhow(gateway, "surah=1&ayah=1&to=7", "")

    async def open_anyhow(self, gateway: Gateway, query: str, first: str | bytes) -> Conversation:
        client = Client(gateway.app, f"/ws/stream?{query}")
        gateway.clients.append(client)
        return Base64Socket(client)

    def finals(self, events: Sequence[Event]) -> list[Final]:
        settled: dict[int, Final] = {}
        for word in [
            word for event in events if event["type"] == "result" for word in event["data"]["words"]
        ]:
            if word["index"] in settled:
                assert (word["final"], word["status"]) == (True, "correct")
            elif word["final"] and word["status"] == "correct":
                settled[word["index"]] = Final(word["start_time"], word["end_time"], word["word"])
        return [settled[index] for index in sorted(settled)]

    def errors(self, events: Sequence[Event]) -> list[str]:
        return [
            event["data"]["message"] for event in events if event["type"] == "error" and event["data"]["code"]
        ]

    def says_reconnect(self, told: Told) -> bool:
        return told.code == 4001


TRANSCRIBING: tuple[DialectClient, ...] = (
    Transcriptions(),
    Deepgram(),
    WhisperLive(),
    CommittedMessages(),
    CommittedLines(),
)
RESUMABLE = frozenset({"transcriptions", "recite", "stream"})
"""Who comes back after a drain instead of being answered to the end."""
ALL: tuple[DialectClient, ...] = (*TRANSCRIBING, Stream(), Recite())
