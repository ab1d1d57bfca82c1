"""What comes from one client: audio and commands, no faster than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.connection.client_audio import ClientAudio
from gateway.connection.connection_rules import ConnectionRules
from gateway.connection.dialect import Command, Dialect, Frame, Input, bytes_of
from gateway.connection.end_reason import EndConnection, EndReason
from gateway.connection.idle_clock import IdleClock
from gateway.connection.ping_clock import PingClock
from gateway.connection.token_bucket import TokenBucket
from gateway.connection.transport import Transport
from gateway.connection.word_delays import WordDelays
from gateway.dependencies import GatewayPorts
from gateway.session.core import SessionCore
from gateway.session.effects import Effect
from gateway.session.events import Event, Ping, Pong, Trouble
from gateway.vad.detector import SpeechStream
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest

_FRAME_BURST_S = 5.0
"""Frames of so many seconds may come at once: what a client has kept while it was away."""


class Receiver:
    """Feeds the session core. While too much audio waits, the socket is not read (back-pressure)."""

    def __init__(
        self,
        ports: GatewayPorts,
        transport: Transport,
        dialect: Dialect,
        core: SessionCore,
        audio: ClientAudio,
        words: WordDelays,
        speech: SpeechStream | None,
        do: Callable[[list[Effect]], None],
        show: Callable[[Event], None],
        end_early: Callable[[str], None],
        rules: ConnectionRules,
    ) -> None:
        """`words` measures when it came, `audio` decodes what comes, `speech` gets it, too; `do` takes the
        core's effects, `show` sends an event, `end_early` ends the audio and says why; `rules`: of the
        dialect."""
        self._ports = ports
        self._settings = ports.settings
        self._transport = transport
        self._dialect = dialect
        self._binary_is_audio = dialect.binary_is_audio
        self._core = core
        self._audio = audio
        self._note_arrival = words.received
        self._speech = speech
        self._do = do
        self._show = show
        self._end_early = end_early
        now_s = ports.clock.monotonic()
        self._idle = IdleClock(self._settings.first_audio_s, self._settings.idle_timeout_s, now_s)
        self._ping = PingClock(rules.ping_s, rules.pong_s, now_s)
        self._rate = TokenBucket(self._settings.audio_rate, self._settings.audio_burst_s, now_s)
        frames_per_s = self._settings.frames_per_s
        self._frames = TokenBucket(frames_per_s, _FRAME_BURST_S * frames_per_s, now_s)
        self._bad_messages = 0
        self._told_busy = False
        self._told_fast = False
        self._monotonic = ports.clock.monotonic
        self._max_frame_bytes = self._settings.max_frame_bytes
        self._max_text_bytes = rules.text_bytes or self._settings.max_text_bytes
        self._max_backlog = ports.settings.max_buffer_samples
        if rules.backlog_s is not None:
            self._max_backlog = int(rules.backlog_s * SAMPLE_RATE)
        self._longest_samples = int(self._settings.session_limit_s * SAMPLE_RATE)
        self._delay_s = 0.0
        self._uncounted = 0
        self._room = asyncio.Event()

    @property
    def idle_limit_s(self) -> float:
        """How long the client may send no audio although it is its turn."""
        return self._idle.limit_s

    def idle_left_s(self) -> float:
        """How much of that is left."""
        if self._core.segmenter.end_requested or self._crowded():
            return self._idle.limit_s
        return self._idle.left_s(self._ports.clock.monotonic())

    def ask(self, now_s: float) -> float:
        """Ask the client whether it is there, if it is time to; returns after how long to do it again, s.

        Raises `EndConnection` for one that has not answered. One that is not read need not.
        """
        if self._crowded():
            self._ping.restart(now_s)
        if self._ping.overdue(now_s):
            raise EndConnection(
                EndReason.UNRESPONSIVE, "no_pong", "the pings were not answered; reconnect and resume"
            )
        if self._ping.due(now_s):
            self._ping.ask(now_s)
            self._show(Ping())
        return self._ping.left_s(now_s)

    def make_room(self) -> None:
        """To be called when the backlog may have become smaller."""
        if not self._crowded():
            # Who sends as fast as there is room fills it again at once: no news while decoding is behind.
            if not self._core.server_busy:
                self._told_busy = False
            self._room.set()

    def end(self) -> None:
        """No more audio is taken; what has come is answered."""
        self._accept(self._audio.finish(), self._monotonic())
        self._do(self._core.end())

    async def run(self) -> None:
        """For ever. Raises `PeerGone` when the client left, `EndConnection` when it must.

        No task is resumed for a frame: the socket calls `_take` as it comes.
        """
        try:
            while True:
                await self._transport.pour(self._take)
                if self._delay_s > 0:
                    await self._slow_down(self._delay_s)
                if self._crowded():
                    await self._wait_for_room()
        finally:
            self._count(0)

    def _take(self, frame: Frame) -> bool:
        """One frame; whether the next one may come."""
        now_s = self._monotonic()
        self._delay_s = self._frames.take(1, now_s)
        if self._binary_is_audio and isinstance(frame, bytes):
            return self._on_audio(frame, now_s)
        may_come = self._delay_s <= 0
        for one in self._read(frame):
            if isinstance(one, bytes):
                may_come = self._on_audio(one, now_s) and may_come
            else:
                self._on_command(one)
        return may_come

    # -- audio -----------------------------------------------------------------------------------------
    def _on_audio(self, data: bytes, now_s: float) -> bool:
        if len(data) > self._max_frame_bytes:
            raise self._too_big(data)
        return self._accept(self._audio.decode(data), now_s)

    def _too_big(self, data: bytes) -> EndConnection:
        return EndConnection(
            EndReason.FRAME_TOO_BIG,
            "frame_too_big",
            f"a frame of {len(data)} bytes; send at most {self._max_frame_bytes}, 200-500 ms are good",
        )

    def _accept(self, pcm: bytes, now_s: float) -> bool:
        """More PCM16 at 16 kHz."""
        if not pcm:
            return self._delay_s <= 0
        segmenter, samples = self._core.segmenter, len(pcm) // 2
        received, ended = segmenter.received, segmenter.end_requested
        room = self._longest_samples - received
        over = samples > room and not ended
        if over:
            pcm = pcm[: 2 * room]
            samples = len(pcm) // 2
        self._idle.hear(samples, now_s)
        self._uncounted += samples
        judged = None if ended else self._speech
        effects = self._core.accept_audio(pcm)
        self._note_arrival(received if ended else received + samples, now_s)
        if effects:
            self._do(effects)
            self._count(SAMPLE_RATE)
        if judged is not None:  # after the core has it: a detector may answer at once
            judged.feed(pcm)
        if over:
            longest_s = self._settings.session_limit_s
            self._end_early(
                f"a session holds {longest_s:g} s of audio; it ends here, the report follows; start a new one"
            )
        delay_s = self._rate.take(samples / SAMPLE_RATE, now_s)
        if delay_s > self._delay_s:
            self._delay_s = delay_s
        return self._delay_s <= 0 and segmenter.backlog < self._max_backlog

    def _count(self, least: int) -> None:
        """Measure the audio that came since the last time, if it is at least so many samples."""
        if self._uncounted >= max(least, 1):
            self._ports.metrics.audio_seconds.inc(self._uncounted / SAMPLE_RATE)
            self._uncounted = 0

    async def _slow_down(self, delay_s: float) -> None:
        if not self._told_fast:
            self._told_fast = True
            message = (
                "audio comes faster or in more frames than it is read; send in real time, 200-500 ms each"
            )
            self._show(Trouble("audio_too_fast", message))
        await asyncio.sleep(delay_s)
        self._restart_clocks()

    async def _wait_for_room(self) -> None:
        while self._crowded():
            if not self._told_busy:
                self._told_busy = True
                message = "decoding is behind; audio is kept, reading goes on when there is room"
                self._show(Trouble("server_busy", message))
            self._room.clear()
            await self._room.wait()
            self._restart_clocks()

    def _restart_clocks(self) -> None:
        """The client was not read until now."""
        now_s = self._ports.clock.monotonic()
        self._idle.restart(now_s)
        self._ping.restart(now_s)

    def _crowded(self) -> bool:
        return self._core.segmenter.backlog >= self._max_backlog

    # -- commands --------------------------------------------------------------------------------------
    def _read(self, frame: Frame) -> Sequence[Input]:
        """What a frame says; nothing if it cannot be understood, which is told."""
        if isinstance(frame, bytes) and len(frame) > self._max_frame_bytes:
            raise self._too_big(frame)
        most = self._max_text_bytes
        try:
            if isinstance(frame, str) and bytes_of(frame) > most:
                raise BadRequest(f"text frames hold at most {most} bytes")
            return self._dialect.read(frame)
        except BadRequest as error:
            self._on_bad_message(error)
            return ()

    def _on_command(self, command: Command) -> None:
        if command is Command.PING:
            self._show(Pong())
            return
        if command is Command.PONG:
            self._ping.answered()
            return
        if command is Command.STAY:
            self._idle.stay(self._monotonic())
            return
        if command is Command.END:
            self.end()
        elif command is Command.FLUSH:
            self._do(self._core.flush())

    def _on_bad_message(self, error: BadRequest) -> None:
        code = "bad_message" if type(error) is BadRequest else error.code
        self._ports.metrics.bad_messages.labels(code).inc()
        self._bad_messages += 1
        if code == "unsupported_sample_rate" or self._bad_messages >= self._settings.max_bad_messages:
            raise EndConnection(EndReason.BAD_REQUEST, code, error.message)
        self._show(Trouble(code, error.message))
