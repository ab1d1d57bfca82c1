"""One session of a client: streams audio, survives broken connections, gives typed events.

Three movements share one `ResumeState`: the feeder fills it from the audio source, the sender of the
current connection empties it into the socket, the receiver applies what the server says to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from random import Random
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from rattil.client.dialect import Dialect
from rattil.client.errors import GaveUp, Refused
from rattil.client.failures import plainly, shown
from rattil.client.resume import ReconnectPolicy, ResumeState, UnackedAudio
from shared.protocol.close_codes import Close

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)

FRAME_S: Final = 0.3
"""Length of a binary frame, seconds."""
KEPT_S: Final = 120
"""Unacknowledged audio that is kept: many times what a healthy server leaves unacknowledged."""
READY_WITHIN_S: Final = 15.0
"""How long the server may take from the handshake to its first event."""
RETRYABLE_HTTP: Final = (408, 425, 429, 500, 502, 503, 504)
"""Handshake refusals that mean "later", not "no"."""
EVENTS_AHEAD: Final = 256
"""Events that wait for who iterates `Session.stream`; then the socket is not read."""


class Listener(Protocol[E_contra]):
    """Where a session's news goes. Called on the event loop; must not block."""

    def on_event(self, event: E_contra) -> None:
        """An event of the server; repeated ones never reach this."""
        ...

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        """The connection was lost; another attempt follows after `delay_s`."""
        ...

    def on_all_sent(self) -> None:
        """All audio has been sent; from now on the server only finishes. May come again after a reconnect."""
        ...


class _Nobody:
    """A `Listener` for who iterates the events."""

    def on_event(self, event: object) -> None:
        return

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        return

    def on_all_sent(self) -> None:
        return


class Session(Generic[E]):
    """One session, from the first frame to the last event. Use once."""

    def __init__(
        self,
        dialect: Dialect[E],
        urls: str | Sequence[str],
        *,
        token: str = "",
        listener: Listener[E] | None = None,
        policy: ReconnectPolicy | None = None,
        rng: Random | None = None,
    ) -> None:
        """`urls`: gateways (``ws://host:port``), taken in turn. `token`: an API key, where one is needed."""
        self._dialect = dialect
        self._urls = [urls] if isinstance(urls, str) else list(urls)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._listener: Listener[E] = listener or _Nobody()
        self._policy = policy or ReconnectPolicy()
        self._rng = rng or Random()
        self._frame_samples = int(FRAME_S * dialect.sample_rate)
        self.state = ResumeState(UnackedAudio(KEPT_S * dialect.sample_rate))
        self.reconnects = 0
        self._changed = asyncio.Event()
        self._retry_after_s = 0.0
        self._was_ready = False
        self._reached = False
        self._feeder: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[E] | None = None
        self._running: asyncio.Task[E] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def session_id(self) -> str:
        """The server's name for the session, once there is one: whoever knows it may resume it."""
        return self.state.session_id

    def end_audio(self) -> None:
        """No more audio is read from the source: what was sent is answered. May be called twice."""
        if self._feeder is not None:
            self._feeder.cancel()
        self.state.source_ended = True
        self._changed.set()

    async def stream(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[E, None]:
        """Stream `audio` (PCM16 mono, any pieces) to its end; the events, the last one included.

        Raises `Refused`, `GaveUp`, `UnreadableEvent`, or what the audio source raises.
        """
        self._events = asyncio.Queue(EVENTS_AHEAD)
        self._running = asyncio.create_task(self.run(audio), name="client-session")
        try:
            while not (self._running.done() and self._events.empty()):
                getting = asyncio.ensure_future(self._events.get())
                try:
                    await asyncio.wait({getting, self._running}, return_when=asyncio.FIRST_COMPLETED)
                    if not getting.done() and not self._events.empty():
                        await getting
                    if getting.done():
                        yield getting.result()
                finally:
                    getting.cancel()
            await self._running
        finally:
            await self.close()

    async def close(self) -> None:
        """Leave the server without waiting for more. May be called twice."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def run(self, audio: AsyncIterator[bytes]) -> E:
        """The same without iterating: events go to the listener; returns the last one."""
        feeder = self._feeder = asyncio.create_task(self._feed(audio), name="client-feeder")
        talk = asyncio.create_task(self._talk(), name="client-talk")
        try:
            await asyncio.wait({feeder, talk}, return_when=asyncio.FIRST_COMPLETED)
            if feeder.done() and not talk.done() and not feeder.cancelled():
                await feeder  # a broken source ends the session
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
        step = self._frame_samples * 2
        for start in range(0, len(pcm), step):
            while self.state.audio.room < self._frame_samples:
                self._changed.clear()
                await self._changed.wait()
            self.state.audio.append(pcm[start : start + step])
            self._changed.set()

    # -- connections ---------------------------------------------------------------------------
    async def _talk(self) -> E:
        failures = 0
        attempt = 0
        while True:
            self._was_ready = False
            reason = await self._attempt(attempt)
            if not isinstance(reason, _Why):
                return reason
            failures = 1 if self._was_ready else failures + 1
            attempt += 1
            policy = self._policy
            if failures > (policy.give_up_after if self._reached else policy.give_up_unreached):
                raise GaveUp(self._why_given_up(failures, reason.text))
            delay_s = policy.delay_s(failures, self._rng, self._retry_after_s)
            self._retry_after_s = 0.0
            self.reconnects += 1
            self._listener.on_reconnect(reason.text, delay_s)
            await asyncio.sleep(delay_s)

    def _why_given_up(self, failures: int, reason: str) -> str:
        if self._reached:
            return f"gave up after {failures} attempts; the last one: {reason}"
        where = ", ".join(shown(url) for url in self._urls)
        return f"nothing answers at {where} ({reason}); start one with `rattil up`, or name one with --url"

    async def _attempt(self, attempt: int) -> E | _Why:
        """One connection. Returns the final event, or why another attempt is worth while."""
        address = self._address(attempt)
        try:
            async with self._connect(address) as websocket:
                self._reached = True
                return await self._converse(websocket)
        except InvalidStatus as error:
            status = error.response.status_code
            if status not in RETRYABLE_HTTP:
                raise Refused(status, f"the server answered HTTP {status} to the handshake") from error
            return _Why(f"HTTP {status}")
        except ConnectionClosed as error:
            return _Why(_why_closed(error))
        except (OSError, InvalidHandshake) as error:
            return _Why(plainly(error))

    async def _converse(self, socket: ClientConnection) -> E:
        async with asyncio.timeout(READY_WITHIN_S):
            while not self._was_ready:
                await self._take(await socket.recv())
        sender = asyncio.create_task(self._send(socket), name="client-sender")
        try:
            while True:
                ended = await self._take(await socket.recv())
                if ended is not None:
                    return ended
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send(self, socket: ClientConnection) -> None:
        while not self.state.all_sent:
            frame = self.state.next_frame(self._frame_samples)
            if frame:
                await socket.send(frame)
                continue
            self._changed.clear()
            await self._changed.wait()
        await socket.send(self._dialect.end)
        self._listener.on_all_sent()

    def _address(self, attempt: int) -> str:
        """The URL for the n-th attempt: gateways in turn."""
        parts = urlsplit(self._urls[attempt % len(self._urls)])
        path = parts.path.rstrip("/") or self._dialect.path
        query = urlencode(self._dialect.query() | self.state.query())
        return urlunsplit((parts.scheme, parts.netloc, path, query, ""))

    def _connect(self, address: str) -> connect:
        return connect(address, compression=None, max_size=4 * 1024 * 1024, additional_headers=self._headers)

    # -- events --------------------------------------------------------------------------------
    async def _take(self, message: str | bytes) -> E | None:
        """One message; the last event of the session if it is that."""
        dialect, state = self._dialect, self.state
        event = dialect.parse(message)
        if event is None or not state.is_new(type(event).__name__, dialect.seq(event)):
            return None
        opening = dialect.opening(event)
        if opening is not None:
            state.on_ready(
                opening.session_id,
                opening.epoch,
                resumed=opening.resumed,
                next_seq=opening.next_seq,
                offset=opening.offset,
            )
            self._was_ready = True
        acked = dialect.acked(event)
        if acked is not None:
            state.on_ack(acked)
            self._changed.set()
        self._retry_after_s = dialect.retry_after_s(event) or self._retry_after_s
        self._listener.on_event(event)
        if self._events is not None:
            await self._events.put(event)
        return event if dialect.is_last(event) else None


class _Why:
    """Why another connection is worth while."""

    def __init__(self, text: str) -> None:
        self.text = text


def _why_closed(error: ConnectionClosed) -> str:
    """Why to reconnect; raises `Refused` when the close code says not to."""
    if error.rcvd is None:
        return "connection lost"
    close = Close(error.rcvd.code, error.rcvd.reason)
    if close.reconnect:
        return f"{close.code} {close.reason}".strip()
    raise Refused(close.code, close.reason) from error
