"""Paced sessions of any wire: how late each answer is.

One rule for all: the delay of a message that has heard further than any before it runs from the moment at
which the last sample it has heard was sent to its receipt; where the client asks, from the question to its
answer. How far apart such messages are is noted, too: a service that falls behind is late or silent.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.dialects.wires import TCP_END, Seen, Wire
from benchmarks.speech import recordings
from shared.audio.formats import SAMPLE_RATE

FRAME_S = 0.1
TURN_S = 4.0
"""Audio between two questions, for wires that ask."""
GRACE_S = 5.0
SPEECH = "fatiha_clean"


@dataclass(slots=True)
class Noted:
    """What one client noted; seconds of its session."""

    delays_s: list[float] = field(default_factory=list)
    heard_s: float = 0.0
    advanced_s: float = 0.0
    longest_silence_s: float = 0.0
    late_frame_s: float = 0.0
    number: int = 0
    before_s: float = 0.0
    unanswered: int = 0
    trouble: str = ""

    def heard(self, until_s: float, at_s: float) -> None:
        """A message that came at `at_s` has heard everything before `until_s`."""
        if until_s <= self.heard_s:
            return
        sent_s = math.ceil(round(until_s / FRAME_S, 6)) * FRAME_S
        self.delays_s.append(max(0.0, at_s - sent_s))
        self.longest_silence_s = max(self.longest_silence_s, at_s - self.advanced_s)
        self.heard_s, self.advanced_s = until_s, at_s

    def closed(self, at_s: float) -> None:
        """Sending has ended: nothing for so long counts, too."""
        self.longest_silence_s = max(self.longest_silence_s, at_s - self.advanced_s)


class Line(Protocol):
    """A connection."""

    async def send(self, frame: str | bytes) -> None: ...

    async def receive(self) -> object:
        """The next message. Raises `ConnectionClosed` or `OSError`."""
        ...


class _Socket:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, frame: str | bytes) -> None:
        await self._socket.send(frame)

    async def receive(self) -> object:
        return json.loads(await self._socket.recv())


class _Tcp:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, frame: str | bytes) -> None:
        if frame == TCP_END:
            self._writer.write_eof()
            return
        self._writer.write(frame if isinstance(frame, bytes) else frame.encode())
        await self._writer.drain()

    async def receive(self) -> object:
        return (await self._reader.readline()).decode()


@asynccontextmanager
async def _line(wire: Wire, port: int) -> AsyncIterator[Line]:
    if wire.ask == TCP_END:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield _Tcp(reader, writer)
        finally:
            writer.close()
        return
    url = f"ws://127.0.0.1:{port}{wire.path}"
    async with connect(url, open_timeout=30, ping_interval=None, max_size=None, compression=None) as socket:
        line = _Socket(socket)
        if wire.hello is not None:
            await line.send(wire.hello)
        async with asyncio.timeout(30):
            for _ in range(wire.greetings):
                await line.receive()
        yield line


async def hold(wire: Wire, port: int, number: int, seconds: float) -> Noted:
    """One client for so long; what goes wrong is noted."""
    noted = Noted()
    try:
        if wire.ask is None:
            async with _line(wire, port) as line:
                await _listen_while_sending(wire, line, noted, number, seconds)
        else:
            await _turns(wire, port, noted, number, seconds)
    except (OSError, ConnectionClosed, TimeoutError) as error:
        noted.trouble = noted.trouble or f"{type(error).__name__}: {error}"
    return noted


async def _listen_while_sending(wire: Wire, line: Line, noted: Noted, number: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    listener = asyncio.create_task(_listen(wire, line, noted, begin_s), name="bench-listen")
    try:
        await _send(wire, line, noted, _turn(number, seconds), begin_s)
        await asyncio.wait({listener}, timeout=FRAME_S)
        noted.closed(loop.time() - begin_s)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


async def _listen(wire: Wire, line: Line, noted: Noted, begin_s: float) -> None:
    loop = asyncio.get_running_loop()
    while True:
        message = await line.receive()
        now_s = loop.time() - begin_s
        answer = wire.read(message, Seen(noted.number, now_s, noted.before_s))
        noted.before_s = now_s
        noted.trouble = noted.trouble or answer.trouble
        if answer.reply:
            await line.send(answer.reply)
        if answer.until_s is not None:
            noted.number += 1
            noted.heard(answer.until_s, now_s)


async def _turns(wire: Wire, port: int, noted: Noted, number: int, seconds: float) -> None:
    """Turns of speech, each with a question at its end; on TCP each is a connection."""
    pieces = [_turn(number + turn, TURN_S) for turn in range(max(1, round(seconds / TURN_S)))]
    if wire.ask == TCP_END:
        for pcm in pieces:
            async with _line(wire, port) as line:
                await _ask(wire, line, noted, pcm)
        return
    async with _line(wire, port) as line:
        for pcm in pieces:
            await _ask(wire, line, noted, pcm)


async def _ask(wire: Wire, line: Line, noted: Noted, pcm: bytes) -> None:
    loop = asyncio.get_running_loop()
    assert wire.ask is not None
    await _send(wire, line, noted, pcm, loop.time())
    asked_s = loop.time()
    await line.send(wire.ask)
    noted.unanswered += 1
    async with asyncio.timeout(GRACE_S):
        while True:
            answer = wire.read(await line.receive(), Seen(0, 0.0, 0.0))
            noted.trouble = noted.trouble or answer.trouble
            if answer.done:
                break
    noted.unanswered -= 1
    noted.delays_s.append(loop.time() - asked_s)


async def _send(wire: Wire, line: Line, noted: Noted, pcm: bytes, begin_s: float) -> None:
    """A frame goes when its last sample has been said."""
    loop = asyncio.get_running_loop()
    step = round(FRAME_S * SAMPLE_RATE) * 2
    for place, start in enumerate(range(0, len(pcm) // step * step, step), 1):
        due_s = begin_s + place * FRAME_S
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        noted.late_frame_s = max(noted.late_frame_s, loop.time() - due_s)
        await line.send(wire.frame(pcm[start : start + step]))


def _turn(number: int, seconds: float) -> bytes:
    """So many seconds of the recitation; every number begins elsewhere."""
    pcm = recordings()[SPEECH].pcm
    size, wanted = len(pcm) // 2, round(seconds * SAMPLE_RATE)
    start = round(1.7 * number * SAMPLE_RATE) % size
    turns = -(-(start + wanted) // size)
    return (pcm * turns)[2 * start : 2 * (start + wanted)]
