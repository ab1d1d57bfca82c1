"""The reference client: streams a recitation, survives broken connections, reports typed events.

Three movements share one `ResumeState`: the feeder fills it from the audio source, the sender of the
current connection empties it into the socket, the receiver applies `ready` and `ack` to it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from cli.dialect import (
    Ack,
    Final,
    FinalError,
    Partial,
    Ready,
    ServerError,
    ServerEvent,
    parse_event,
)
from cli.resume import ReconnectPolicy, ResumeState
from shared.protocol.close_codes import Close

FRAME_SAMPLES = 4_800
"""Samples per binary frame: 300 ms, 9,600 bytes."""

READY_WITHIN_S = 15.0
"""How long the server may take from the handshake to its `ready` event."""

RETRYABLE_HTTP = (408, 425, 429, 500, 502, 503, 504)
"""Handshake refusals that mean "later", not "no"."""


class Listener(Protocol):
    """Where a recitation's news goes. Called on the event loop; must not block."""

    def on_event(self, event: ServerEvent) -> None:
        """An event of the server; repeated ones never reach this."""
        ...

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        """The connection was lost; another attempt follows after `delay_s`."""
        ...

    def on_all_sent(self) -> None:
        """The whole recording has been sent; from now on the server only finishes. May come again
        after a reconnect."""
        ...


class Refused(Exception):
    """The server ended the session for good: trying again would not help."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason or f"closed with code {code}")
        self.code = code
        self.reason = reason


class GaveUp(Exception):
    """No server could be reached, or none stayed, for too many attempts in a row."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where and what: one or more gateways (`ws://host:port`), and the verse range in their query."""

    urls: Sequence[str]
    surah: int
    ayah: int
    to: int | None = None
    token: str = ""

    def address(self, attempt: int, resume: dict[str, str]) -> str:
        """The URL for the n-th attempt: gateways in turn."""
        parts = urlsplit(self.urls[attempt % len(self.urls)])
        query = {"surah": str(self.surah), "ayah": str(self.ayah)}
        if self.to is not None:
            query["to"] = str(self.to)
        if self.token:
            query["token"] = self.token
        path = parts.path.rstrip("/") or "/ws/recite"
        return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query | resume), ""))


Ended = Final | FinalError


@dataclass(slots=True)
class RecitationClient:
    """One recitation, from the first frame to the final result. Use once."""

    target: Target
    listener: Listener
    policy: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    rng: Random = field(default_factory=Random)
    state: ResumeState = field(default_factory=ResumeState)
    reconnects: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _retry_after_s: float = 0.0
    _was_ready: bool = False
    _reached: bool = False
    _feeder: asyncio.Task[None] | None = None

    def end_audio(self) -> None:
        """No more audio is read from the source: what was sent is judged as a whole. May be called twice."""
        if self._feeder is not None:
            self._feeder.cancel()
        self.state.source_ended = True
        self._changed.set()

    async def run(self, audio: AsyncIterator[bytes]) -> Ended:
        """Stream `audio` (16 kHz mono PCM16 pieces) to its end and wait for the final event.

        Raises `Refused`, `GaveUp`, `UnreadableEvent`, or what the audio source raises.
        """
        feeder = self._feeder = asyncio.create_task(self._feed(audio), name="recite-feeder")
        talk = asyncio.create_task(self._talk(), name="recite-talk")
        try:
            await asyncio.wait({feeder, talk}, return_when=asyncio.FIRST_COMPLETED)
            if feeder.done() and not talk.done() and not feeder.cancelled():
                await feeder  # a broken source ends the recitation
            return await talk
        finally:
            for task in (feeder, talk):
                task.cancel()
            await asyncio.gather(feeder, talk, return_exceptions=True)

    # -- audio in ------------------------------------------------------------------------------
    async def _feed(self, audio: AsyncIterator[bytes]) -> None:
        carry = b""
        async for piece in audio:
            pcm = carry + piece
            carry = pcm[len(pcm) & ~1 :]
            await self._keep(pcm[: len(pcm) & ~1])
        self.state.source_ended = True
        self._changed.set()

    async def _keep(self, pcm: bytes) -> None:
        step = FRAME_SAMPLES * 2
        for start in range(0, len(pcm), step):
            while self.state.audio.room < FRAME_SAMPLES:
                self._changed.clear()
                await self._changed.wait()
            self.state.audio.append(pcm[start : start + step])
            self._changed.set()

    # -- connections ---------------------------------------------------------------------------
    async def _talk(self) -> Ended:
        failures = 0
        attempt = 0
        while True:
            self._was_ready = False
            reason = await self._attempt(attempt)
            if not isinstance(reason, str):
                return reason
            failures = 1 if self._was_ready else failures + 1
            attempt += 1
            policy = self.policy
            if failures > (policy.give_up_after if self._reached else policy.give_up_unreached):
                raise GaveUp(self._why_given_up(failures, reason))
            delay_s = policy.delay_s(failures, self.rng, self._retry_after_s)
            self._retry_after_s = 0.0
            self.reconnects += 1
            self.listener.on_reconnect(reason, delay_s)
            await asyncio.sleep(delay_s)

    def _why_given_up(self, failures: int, reason: str) -> str:
        if self._reached:
            return f"gave up after {failures} attempts; the last one: {reason}"
        where = ", ".join(_shown(url) for url in self.target.urls)
        return f"nothing answers at {where} ({reason}); start one with `rattil up`, or name one with --url"

    async def _attempt(self, attempt: int) -> Ended | str:
        """One connection. Returns the final event, or why another attempt is worth while."""
        address = self.target.address(attempt, self.state.query())
        try:
            async with connect(address, compression=None, max_size=4 * 1024 * 1024) as websocket:
                self._reached = True
                return await self._converse(websocket)
        except InvalidStatus as error:
            status = error.response.status_code
            if status not in RETRYABLE_HTTP:
                raise Refused(status, f"the server answered HTTP {status} to the handshake") from error
            return f"HTTP {status}"
        except ConnectionClosed as error:
            return _why_closed(error)
        except (OSError, InvalidHandshake) as error:
            return _plainly(error)

    async def _converse(self, socket: ClientConnection) -> Ended:
        async with asyncio.timeout(READY_WITHIN_S):
            while not self._was_ready:
                self._take(await socket.recv())
        sender = asyncio.create_task(self._send(socket), name="recite-sender")
        try:
            while True:
                ended = self._take(await socket.recv())
                if ended is not None:
                    return ended
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send(self, socket: ClientConnection) -> None:
        while not self.state.all_sent:
            frame = self.state.next_frame(FRAME_SAMPLES)
            if frame:
                await socket.send(frame)
                continue
            self._changed.clear()
            await self._changed.wait()
        await socket.send("end")
        self.listener.on_all_sent()

    # -- events --------------------------------------------------------------------------------
    def _take(self, message: str | bytes) -> Ended | None:
        event = parse_event(message)
        if event is None or not self._is_new(event):
            return None
        if isinstance(event, Ready):
            self.state.on_ready(
                event.session_id,
                event.epoch,
                resumed=event.resumed,
                next_seq=event.next_seq,
                offset=event.offset,
            )
            self._was_ready = True
        elif isinstance(event, Ack):
            self.state.on_ack(event.offset)
            self._changed.set()
        elif isinstance(event, ServerError) and event.retry_after_s is not None:
            self._retry_after_s = event.retry_after_s
        self.listener.on_event(event)
        return event if isinstance(event, (Final, FinalError)) else None

    def _is_new(self, event: ServerEvent) -> bool:
        if isinstance(event, (Partial, ServerError)):
            return self.state.is_new(type(event).__name__, event.seq)
        return True


def _why_closed(error: ConnectionClosed) -> str:
    """Why to reconnect; raises `Refused` when the close code says not to."""
    if error.rcvd is None:
        return "connection lost"
    close = Close(error.rcvd.code, error.rcvd.reason)
    if close.reconnect:
        return f"{close.code} {close.reason}".strip()
    raise Refused(close.code, close.reason) from error


def _shown(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _plainly(error: OSError | InvalidHandshake) -> str:
    """What a person needs to know of a failed connection."""
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return "connection refused"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}"
