"""The driver of one connection: feeds the session core, carries out its effects, keeps its limits.

Four tasks, all in one group: the reader (audio and commands), the worker (effects, results,
overdue segments), the writer (outbox) and the watch (idle, lifetime, being asked to close). The
first of them to end, ends the connection; Redis is only talked to per segment, never per frame.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from gateway.connection.client_audio import ClientAudio
from gateway.connection.client_text import for_client
from gateway.connection.dialect import Dialect
from gateway.connection.end_reason import End, EndConnection, EndReason
from gateway.connection.failures import what_ended
from gateway.connection.lag_watch import CHECK_S, LagWatch
from gateway.connection.outcome_measures import OutcomeMeasures
from gateway.connection.overdue_watch import OverdueWatch
from gateway.connection.receiver import Receiver
from gateway.connection.result_inbox import ResultInbox
from gateway.connection.resume import Opening
from gateway.connection.segment_traces import SegmentTraces
from gateway.connection.segment_writer import SegmentWriter
from gateway.connection.send_queue import SendQueue, SlowConsumer
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import PeerGone, Transport
from gateway.connection.word_delays import WordDelays
from gateway.dependencies import GatewayPorts
from gateway.session.effects import Effect, Emit, Finish, Store
from gateway.session.events import Event, Finished, Flushed, Heard, SegmentFailed, Trouble
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BusUnavailable
from shared.ids import PoolName
from shared.protocol.segments import LoggedResult
from shared.service.logging import get_logger

_LAST_WORDS_S = 2.0
"""How long a closing connection may take to send what is queued, seconds."""

_LAST_ANSWERS_S = 4.0
"""How long a drain waits for the answers of a session that cannot be resumed, or whose dialect flushes,
seconds; the registry waits a little longer."""

_LINGER_S = 15.0
"""Longest life of a socket after its close frame, seconds: more than uvicorn's own 10 s for the answer."""

_OUTCOMES = (Heard, SegmentFailed)

_log = get_logger(__name__)


class Connection:
    """See the module. `run` returns how it ended, or None when the client left."""

    def __init__(
        self,
        ports: GatewayPorts,
        transport: Transport,
        dialect: Dialect,
        request: SessionRequest,
        opening: Opening,
        inbox: ResultInbox,
    ) -> None:
        settings = ports.settings
        self._ports = ports
        self._transport = transport
        self._dialect = dialect
        self._plan = plan = request.plan
        self._resumable = request.resumable
        self._flushes = request.rules.flushes
        self._flushed = asyncio.Event()
        self._core = opening.core
        self._inbox = inbox
        self._send_queue = SendQueue(settings.outbox_bytes, settings.outbox_events, settings.send_timeout_s)
        identity = opening.core.identity
        self._traces = SegmentTraces(ports.tracing, identity.session_id, identity.protocol)
        for result in opening.traced:
            self._traces.received(result)
        self._settlement = SegmentWriter(ports, opening.core, self._traces)
        self._effects: deque[Effect] = deque(opening.effects)
        self._speech = ports.speech.open(self._on_speech) if plan.detects_speech else None
        core = opening.core
        self._audio = ClientAudio(core.identity.options.audio_format, core.segmenter.received)
        self._opened = opening.opened
        self._opened_s = ports.clock.monotonic()
        words = WordDelays(ports.metrics, identity.protocol, core.segmenter.received, self._opened_s)
        self._measures = OutcomeMeasures(ports, core, words, self._traces, plan.adaptive)
        self._receiver = Receiver(
            ports,
            transport,
            dialect,
            core,
            self._audio,
            words,
            self._speech,
            self._do,
            self._show,
            self._end_early,
            request.rules,
        )
        self._lag = LagWatch(request.rules.lag) if request.rules.lag else None
        self._reason_at_end = EndReason.DONE
        self._asked: EndReason | None = None
        self._reported = False
        self.may_go_on = False
        """Once it has ended: whether the session has something to come back to, audio without a report."""
        self._wake = asyncio.Event()
        self._stir = asyncio.Event()
        check_s = settings.segment_check_s
        look_again_s = min(check_s, CHECK_S) if self._lag else check_s
        self._overdue = OverdueWatch(core, ports.clock, check_s, look_again_s, self._wake.set)

    # -- from outside ------------------------------------------------------------------------------
    def ask_to_end(self, reason: EndReason) -> None:
        """End it soon for this reason. What Redis holds is always enough to resume from."""
        self._asked = self._asked or reason
        self._stir.set()

    @property
    def pool(self) -> PoolName:
        return self._core.identity.pool

    @property
    def wait_s(self) -> float | None:
        """The longer of how long the oldest segment in flight waits, and how long the last one has."""
        if self._core.oldest_open() is None:
            return None
        return max(self._overdue.waited_s, self._measures.last_wait_s)

    async def run(self) -> End | None:
        """Until the end of the connection; the socket is closed then, the core released."""
        try:
            return await self._until_ended()
        finally:
            if self._speech is not None:
                self._speech.close()
            self._audio.close()
            self._overdue.close()
            self._effects.clear()
            self._traces.close()
            self.may_go_on = self._core.segmenter.received > 0 and not self._reported
            self._core.release()
            # Both call back into this connection: without them it goes at once, not when the collector comes.
            del self._receiver, self._inbox, self._speech

    async def _until_ended(self) -> End | None:
        self._show(self._opened)  # before anything is read, so that no answer can come before it
        self._inbox.connect(self._wake.set, lambda: self.ask_to_end(EndReason.SUPERSEDED))
        ending = await self._live()
        if ending is None:
            return None
        if ending.trouble is not None:
            self._show_last(ending.trouble)
        slow = ending.end.reason is EndReason.SLOW_CONSUMER
        try:
            if not slow:
                await self._send_queue.flush(self._transport, _LAST_WORDS_S)
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._transport.end(ending.end)
            self._transport.abort(_LAST_WORDS_S if slow else _LINGER_S)
        except (SlowConsumer, TimeoutError):
            self._transport.abort(0)
        except PeerGone:
            return None
        return ending.end

    # -- tasks ---------------------------------------------------------------------------------------
    async def _live(self) -> EndConnection | None:
        name = self._core.identity.connection_id
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work(), name=f"work-{name}")
                tasks.create_task(self._send_queue.write(self._transport), name=f"write-{name}")
                # A task of its own: every frame resumes all that awaits its reading, and this one
                # is awaited by the whole stack of the web framework.
                tasks.create_task(self._receiver.run(), name=f"read-{name}")
                await self._watch()
        except ExceptionGroup as group:
            # The task group's frame still holds the group, and its traceback that frame (until Python 3.13).
            group.__traceback__ = None
            return what_ended(group, self._core.identity.session_id)
        return None

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            for logged in self._inbox.take():
                self._apply(logged, "feed")
            await self._perform()
            if self._inbox.must_read_log or self._overdue.overdue:
                self._inbox.must_read_log = False
                await self._catch_up()
                await self._perform()
            self._receiver.make_room()
            self._check_lag()
            self._overdue.set()
            await self._wake.wait()

    async def _watch(self) -> None:
        settings = self._ports.settings
        while self._asked is None:
            now_s = self._ports.clock.monotonic()
            idle_left_s = self._receiver.idle_left_s()
            age_s = now_s - self._opened_s
            if idle_left_s <= 0:
                raise EndConnection(
                    EndReason.IDLE,
                    "idle_timeout",
                    f"no audio for {self._receiver.idle_limit_s:g} s; reconnect to resume when there is some",
                )
            left_s = min(idle_left_s, self._receiver.ask(now_s))
            if not self._core.segmenter.end_requested:
                if age_s >= settings.max_connection_s:
                    self._end_early(
                        "this connection has reached its longest time; it ends here, the report follows"
                    )
                    continue
                left_s = min(left_s, settings.max_connection_s - age_s)
            try:
                async with asyncio.timeout(left_s):
                    await self._stir.wait()
            except TimeoutError:
                continue
        if self._asked is EndReason.DRAINING and not self._resumable:
            await self._answer_what_came()
        elif self._asked is EndReason.DRAINING and self._flushes:
            await self._flush_what_came()
        raise EndConnection(self._asked)

    async def _flush_what_came(self) -> None:
        """What was taken is cut, stored and answered before the end, if that does not take too long; the
        client goes on elsewhere after it."""
        self._flushed.clear()
        self._do(self._core.flush())
        try:
            async with asyncio.timeout(_LAST_ANSWERS_S):
                await self._flushed.wait()
        except TimeoutError:
            return

    async def _answer_what_came(self) -> None:
        """Who cannot come back to the session gets the answers to all that was taken, before the end."""
        if not self._core.segmenter.end_requested:
            self._reason_at_end = EndReason.DRAINING
            self._receiver.end()
        await asyncio.sleep(_LAST_ANSWERS_S)  # the last answer ends the connection, and this with it

    def _end_early(self, why: str) -> None:
        """A limit is reached: as if the client had sent `end`; everything that was taken is judged."""
        self._reason_at_end = EndReason.TOO_LONG
        self._show(Trouble("session_too_long", why))
        self._do(self._core.end())

    # -- worker ----------------------------------------------------------------------------------------
    def _do(self, effects: list[Effect]) -> None:
        if effects:
            self._effects.extend(effects)
            self._wake.set()

    def _on_speech(self, probabilities: Sequence[float]) -> None:
        self._do(self._core.note_speech(probabilities))

    def _apply(self, logged: LoggedResult, source: str) -> None:
        result = logged.result
        _log.debug(
            "result_received",
            session_id=result.session_id,
            seq=result.seq,
            trace_id=result.trace_id,
            outcome=result.outcome,
            source=source,
        )
        self._traces.received(result)
        self._do(self._core.apply(logged, self._now_ms()))

    async def _perform(self) -> None:
        while self._effects:
            effect = self._effects.popleft()
            if isinstance(effect, Emit):
                self._show(effect.event)
            elif isinstance(effect, Store):
                self._do(await self._settlement.store(effect.window, self._now_ms))
                self._note_loss()
                self._receiver.make_room()
            elif isinstance(effect, Finish):
                await self._finish()

    async def _finish(self) -> None:
        event = await self._plan.report(self._core)
        self._ports.metrics.finals.labels("report" if isinstance(event, Finished) else event.code).inc()
        if isinstance(event, Finished):
            self._ports.usage.count(self._core.identity.tenant, self._core.identity.pool, words=event.words)
        self._show(event)
        self._reported = True
        await self._forget()
        raise EndConnection(self._reason_at_end)

    async def _forget(self) -> None:
        """The session has ended: what is stored of it is deleted soon, whatever its usual life is."""
        identity, keep_s = self._core.identity, self._ports.settings.session_end_grace_s
        try:
            await self._ports.store.close(identity.session_id, identity.connection_id, keep_s)
        except BusUnavailable as error:
            _log.warning("session_not_deleted", connection_id=identity.connection_id, error=error.message)

    async def _catch_up(self) -> None:
        for logged in await self._settlement.missing_results(self._overdue.waited_s):
            self._apply(logged, "log")
        self._note_loss()

    def _note_loss(self) -> None:
        """After state was lost: tell, and take what was settled under the new epoch."""
        trouble, settled = self._settlement.take_loss()
        if trouble is not None:
            self._show(trouble)
        for logged in settled:
            self._apply(logged, "settled")

    def _check_lag(self) -> None:
        if self._lag is not None:
            warning = self._lag.check(self._core.lag_samples / SAMPLE_RATE, self._ports.clock.monotonic())
            if warning is not None:
                self._show(warning)

    # -- events ----------------------------------------------------------------------------------------
    def _show(self, event: Event) -> None:
        frames = self._dialect.write(self._audio.in_client_samples(for_client(event)))
        for frame in frames:
            self._send_queue.put(frame)
        if isinstance(event, Flushed):
            self._flushed.set()
        if isinstance(event, _OUTCOMES):
            self._measures.told(event, shown=bool(frames))

    def _show_last(self, event: Event) -> None:
        try:
            self._show(event)
        except SlowConsumer:
            return

    def _now_ms(self) -> int:
        return int(self._ports.clock.monotonic() * 1000)
