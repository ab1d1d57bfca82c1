"""The driver of one connection: feeds the session core, carries out its effects, keeps its limits.

Four tasks, all in one group: the reader (audio and commands), the worker (effects, results,
overdue segments), the writer (outbox) and the watch (idle, lifetime, being asked to close). The
first of them to end, ends the connection; Redis is only talked to per segment, never per frame.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from gateway.closing import CloseConnection, closing_for
from gateway.dependencies import GatewayPorts
from gateway.dialect import Dialect
from gateway.effects import Effect, Emit, Finish, Store
from gateway.events import Event, Finished, Heard, Pong, SegmentFailed, Trouble
from gateway.finishing import final_event
from gateway.limits import AudioRate
from gateway.opening import Opening
from gateway.outbox import Outbox, SlowConsumer
from gateway.results import Inbox
from gateway.settlement import Settlement
from gateway.sockets import PeerGone, Socket
from shared.errors import BadRequest, RattilError
from shared.logging import get_logger
from shared.protocol.client import Command
from shared.protocol.close_codes import (
    IDLE,
    INTERNAL,
    NORMAL,
    POLICY,
    SLOW_CONSUMER,
    SUPERSEDED,
    TOO_BIG,
    TOO_LONG,
    Close,
)
from shared.protocol.segments import SAMPLE_RATE

_LAST_WORDS_S = 2.0
"""How long a closing connection may take to send what is queued, seconds."""

_EXPECTED = (CloseConnection, PeerGone, SlowConsumer, RattilError)

_log = get_logger(__name__)


class Connection:
    """See the module. `run` returns the close that ended it, or None when the client left."""

    def __init__(
        self, ports: GatewayPorts, socket: Socket, dialect: Dialect, opening: Opening, inbox: Inbox
    ) -> None:
        settings = ports.settings
        self._ports = ports
        self._socket = socket
        self._dialect = dialect
        self._core = opening.core
        self._inbox = inbox
        self._outbox = Outbox(settings.outbox_bytes, settings.outbox_events, settings.send_timeout_s)
        self._settlement = Settlement(ports, opening.core)
        self._effects: deque[Effect] = deque([Emit(opening.opened), *opening.effects])
        now_s = ports.clock.monotonic()
        self._rate = AudioRate(settings.audio_rate, settings.audio_burst_s, now_s)
        self._opened_s = now_s
        self._active_s = now_s
        self._bad_messages = 0
        self._told_busy = False
        self._asked: Close | None = None
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._stir = asyncio.Event()

    # -- from outside ------------------------------------------------------------------------------
    def ask_to_close(self, close: Close) -> None:
        """End it soon with this code. What Redis holds is always enough to resume from."""
        self._asked = self._asked or close
        self._stir.set()

    async def run(self) -> Close | None:
        """Until the end of the connection; the socket is closed then."""
        self._inbox.connect(self._wake.set, lambda: self.ask_to_close(SUPERSEDED))
        closing = await self._live()
        if closing is None:
            return None
        if closing.trouble is not None:
            self._show_last(closing.trouble)
        try:
            if closing.close is not SLOW_CONSUMER:
                await self._outbox.flush(self._socket, _LAST_WORDS_S)
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._socket.close(closing.close)
        except (SlowConsumer, TimeoutError):
            self._socket.abort()
        except PeerGone:
            return None
        return closing.close

    # -- tasks ---------------------------------------------------------------------------------------
    async def _live(self) -> CloseConnection | None:
        name = self._core.identity.connection_id
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work(), name=f"work-{name}")
                tasks.create_task(self._outbox.write(self._socket), name=f"write-{name}")
                tasks.create_task(self._watch(), name=f"watch-{name}")
                await self._read()
        except ExceptionGroup as group:
            return self._why(list(_leaves(group)))
        return None

    def _why(self, failures: list[Exception]) -> CloseConnection | None:
        """What ended the tasks; None if the client left."""
        unexpected = [failure for failure in failures if not isinstance(failure, _EXPECTED)]
        if unexpected:
            session_id = self._core.identity.session_id
            _log.error("connection_failed", session_id=session_id, exc_info=unexpected[0])
            return CloseConnection(INTERNAL, "internal", "something went wrong here; reconnect to resume")
        if any(isinstance(failure, PeerGone) for failure in failures):
            return None
        for failure in failures:
            if isinstance(failure, CloseConnection):
                return failure
            if isinstance(failure, RattilError):
                return closing_for(failure)
        return CloseConnection(SLOW_CONSUMER)

    async def _read(self) -> None:
        while True:
            frame = await self._socket.receive()
            if isinstance(frame, bytes):
                await self._on_audio(frame)
            else:
                self._on_text(frame)

    async def _work(self) -> None:
        settings = self._ports.settings
        while True:
            self._wake.clear()
            for logged in self._inbox.take():
                self._do(self._core.apply(logged, self._now_ms()))
            await self._perform()
            if self._inbox.must_read_log or self._overdue_s() >= settings.segment_check_s:
                self._inbox.must_read_log = False
                await self._catch_up()
                await self._perform()
            self._make_room()
            await self._rest()

    async def _watch(self) -> None:
        settings = self._ports.settings
        while self._asked is None:
            now_s = self._ports.clock.monotonic()
            waits_for_us = self._core.intake.end_requested or self._crowded()
            idle_s = 0.0 if waits_for_us else now_s - self._active_s
            if idle_s >= settings.idle_timeout_s:
                raise CloseConnection(
                    IDLE, "idle_timeout", f"no audio for {settings.idle_timeout_s:g} s; reconnect to resume"
                )
            if now_s - self._opened_s >= settings.max_connection_s:
                raise CloseConnection(
                    TOO_LONG, "session_too_long", "this connection has reached its longest time; start anew"
                )
            left_s = min(settings.idle_timeout_s - idle_s, settings.max_connection_s - now_s + self._opened_s)
            try:
                async with asyncio.timeout(left_s):
                    await self._stir.wait()
            except TimeoutError:
                continue
        raise CloseConnection(self._asked)

    # -- reader ----------------------------------------------------------------------------------------
    async def _on_audio(self, pcm: bytes) -> None:
        settings = self._ports.settings
        if len(pcm) > settings.max_frame_bytes:
            raise CloseConnection(
                TOO_BIG,
                "frame_too_big",
                f"a frame of {len(pcm)} bytes; send at most {settings.max_frame_bytes}, 200-500 ms are good",
            )
        if not pcm:
            return
        now_s = self._ports.clock.monotonic()
        self._active_s = now_s
        samples = len(pcm) // 2
        self._ports.metrics.audio_seconds.inc(samples / SAMPLE_RATE)
        self._do(self._core.accept_audio(pcm))
        if self._core.intake.received > settings.max_session_s * SAMPLE_RATE:
            raise CloseConnection(
                TOO_LONG, "session_too_long", f"a session holds {settings.max_session_s:g} s; start a new one"
            )
        await self._slow_down(self._rate.delay_s(samples, now_s))
        await self._wait_for_room()

    async def _slow_down(self, delay_s: float) -> None:
        if delay_s <= 0:
            return
        self._say_busy("audio_too_fast", "audio comes faster than it is read; send in real time")
        await asyncio.sleep(delay_s)

    async def _wait_for_room(self) -> None:
        """Back-pressure: while too much audio waits, the socket is not read."""
        while self._crowded():
            self._say_busy(
                "server_busy", "decoding is behind; audio is kept, reading goes on when there is room"
            )
            self._room.clear()
            await self._room.wait()

    def _crowded(self) -> bool:
        return self._core.intake.backlog >= self._ports.settings.max_buffer_samples

    def _make_room(self) -> None:
        if not self._crowded():
            self._told_busy = False
            self._room.set()

    def _say_busy(self, code: str, message: str) -> None:
        """Once until there was room again, not with every frame."""
        if not self._told_busy:
            self._told_busy = True
            self._show(Trouble(code, message))

    def _on_text(self, text: str) -> None:
        try:
            if len(text) > self._ports.settings.max_text_bytes:
                raise BadRequest(f"text frames hold at most {self._ports.settings.max_text_bytes} bytes")
            command = self._dialect.read(text)
        except BadRequest as error:
            self._on_bad_message(error)
            return
        if command is Command.PING:
            self._show(Pong())
            return
        self._active_s = self._ports.clock.monotonic()
        if command is Command.END:
            self._do(self._core.end())
        elif command is Command.FLUSH:
            self._do(self._core.flush())

    def _on_bad_message(self, error: BadRequest) -> None:
        code = "bad_message" if type(error) is BadRequest else error.code
        self._ports.metrics.bad_messages.labels(code).inc()
        self._bad_messages += 1
        if code == "unsupported_sample_rate" or self._bad_messages >= self._ports.settings.max_bad_messages:
            raise CloseConnection(Close(POLICY.code, f"{code}: {error.message}"), code, error.message)
        self._show(Trouble(code, error.message))

    # -- worker ----------------------------------------------------------------------------------------
    def _do(self, effects: list[Effect]) -> None:
        if effects:
            self._effects.extend(effects)
            self._wake.set()

    async def _perform(self) -> None:
        while self._effects:
            effect = self._effects.popleft()
            if isinstance(effect, Emit):
                self._show(effect.event)
            elif isinstance(effect, Store):
                self._do(await self._settlement.store(effect.window, self._now_ms))
                self._note_loss()
                self._make_room()
            elif isinstance(effect, Finish):
                await self._finish()

    async def _finish(self) -> None:
        event = await final_event(self._ports, self._core)
        self._ports.metrics.finals.labels("report" if isinstance(event, Finished) else event.code).inc()
        self._show(event)
        raise CloseConnection(NORMAL)

    async def _catch_up(self) -> None:
        for logged in await self._settlement.missing_results(self._overdue_s()):
            self._do(self._core.apply(logged, self._now_ms()))
        self._note_loss()

    def _note_loss(self) -> None:
        """After state was lost: tell, and take what was settled under the new epoch."""
        trouble, settled = self._settlement.take_loss()
        if trouble is not None:
            self._show(trouble)
        for logged in settled:
            self._do(self._core.apply(logged, self._now_ms()))

    def _overdue_s(self) -> float:
        """How long the oldest segment in flight has waited for its result."""
        oldest = self._core.oldest_open()
        return 0.0 if oldest is None else (self._now_ms() - oldest[1]) / 1000

    async def _rest(self) -> None:
        """Until woken; while segments are in flight, at most until one may be overdue."""
        if self._core.oldest_open() is None:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(self._ports.settings.segment_check_s):
                await self._wake.wait()
        except TimeoutError:
            return

    # -- events ----------------------------------------------------------------------------------------
    def _show(self, event: Event) -> None:
        if isinstance(event, Heard):
            self._measure(event)
        elif isinstance(event, SegmentFailed):
            self._ports.metrics.count_outcome(event.outcome, event.code)
        text = self._dialect.write(event)
        if text is not None:
            self._outbox.put(text)

    def _show_last(self, event: Event) -> None:
        try:
            self._show(event)
        except SlowConsumer:
            return

    def _measure(self, event: Heard) -> None:
        metrics, latency = self._ports.metrics, event.latency
        metrics.count_outcome("result", "")
        if not latency.live:
            return
        self._ports.adaptive.observe(latency.total_ms)
        metrics.latency.labels("queued").observe(latency.queued_ms)
        metrics.latency.labels("inference").observe(latency.inference_ms)
        metrics.latency.labels("total").observe(latency.total_ms)

    def _now_ms(self) -> int:
        return int(self._ports.clock.monotonic() * 1000)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[Exception]:
    for failure in group.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _leaves(failure)
        elif isinstance(failure, Exception):
            yield failure
