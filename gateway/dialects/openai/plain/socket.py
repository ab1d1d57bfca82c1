"""One socket that speaks the plain form: a session for each source, responses from all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import msgspec
from msgspec import UNSET

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End, EndConnection, EndReason
from gateway.connection.send_queue import SendQueue, SlowConsumer
from gateway.connection.serve import serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import PeerGone, Transport
from gateway.dependencies import GatewayPorts
from gateway.dialects.openai.plain.client_events import (
    SOURCES,
    Append,
    PlainEvent,
    Source,
    correlation_of,
    read_event,
)
from gateway.dialects.openai.plain.outbox import Outbox
from gateway.dialects.openai.plain.responses import Responses
from gateway.dialects.openai.plain.source_translator import FLUSH, SourceTranslator
from gateway.dialects.openai.realtime import messages
from gateway.dialects.openai.realtime.client_events import BadEvent, Head, read_head
from gateway.dialects.openai.realtime.messages import ErrorDetail, ServerEvent
from gateway.interpreters.transcription.plan import TranscriptionPlan
from gateway.transport.shared_socket import Part, SharedSocket
from shared.errors import BadRequest
from shared.ids import new_session_id

QUEUE_S = 10.0
"""Audio of one source that may wait for its session, seconds."""
MOST_RESPONSES = 16
"""Responses that may be asked for before the first of them is done."""
_APART = frozenset({EndReason.DONE, EndReason.DRAINING, EndReason.IDLE, EndReason.TOO_LONG})
"""A source that is silent for long, or has said as much as a session may hold, ends alone; another session
begins with its next audio."""


class QueueOverflow(BadRequest):
    """Audio of a less important source comes faster than it is heard; it was thrown away."""

    code = "input_audio_buffer_full"


class PlainSocket:
    """From the first event after `session.create` to the end."""

    def __init__(self, ports: GatewayPorts, transport: Transport, template: SessionRequest) -> None:
        """`template`: the session that each source gets."""
        settings = ports.settings
        self._ports = ports
        self._template = template
        queue = SendQueue(settings.outbox_bytes, settings.outbox_events, settings.send_timeout_s)
        self._outbox = Outbox(transport, queue, settings.send_timeout_s)
        self._socket = SharedSocket(self._outbox, self._deliver, _APART)
        self._parts: dict[Source, Part] = {}
        self._responses = Responses()
        self._bad_events = 0
        self._address = ""
        audio = template.options.audio_format
        self._second_bytes = audio.rate * audio.client_sample_bytes

    def say(self, events: Iterable[ServerEvent]) -> None:
        """Raises `SlowConsumer`."""
        for event in events:
            self._outbox.post(messages.encode(event))

    async def serve(self, address: str) -> None:
        """To its end. `address`: of the client."""
        self._address = address
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._write(), name="write-plain"),
                tasks.create_task(self._expect_audio(), name="expect-audio"),
            ]
            await self._socket.run(lambda: None)
            for task in beside:
                task.cancel()

    # -- tasks -------------------------------------------------------------------------------------------
    async def _write(self) -> None:
        try:
            await self._outbox.write()
        except SlowConsumer:
            await self._socket.close(End(EndReason.SLOW_CONSUMER))
        except PeerGone:
            return  # who reads finds that out, too

    async def _expect_audio(self) -> None:
        """A socket on which nobody speaks is not kept; later it ends with the last of its sources."""
        idle_s = self._ports.settings.idle_timeout_s
        await asyncio.sleep(idle_s)
        if not self._parts:
            why = f"no audio for {idle_s:g} s; connect again"
            with suppress(SlowConsumer):
                self._tell_error(ErrorDetail("server_error", "idle_timeout", why), None)
            await self._socket.close(End(EndReason.IDLE))

    async def _serve_source(self, source: Source, translator: SourceTranslator, part: Part) -> None:
        translator.part = part
        options = self._template.options
        request = msgspec.structs.replace(
            self._template, session_id=new_session_id(), plan=TranscriptionPlan(self._ports, options)
        )
        try:
            await serve_session(self._ports, part, translator, request, self._address)
        finally:
            if self._parts.get(source) is part:
                with suppress(SlowConsumer):
                    self._bury(source)

    def _bury(self, source: Source) -> None:
        """The session of this source is over; what is told of it is told now."""
        part = self._parts.pop(source)
        if self._socket.gone:
            return
        ended = ErrorDetail("server_error", "unavailable", f"the session of source {source} has ended")
        self.say(self._responses.end(source, ended))
        if part.waits:
            lost = f"audio of source {source} that waited to be heard was lost"
            self._tell_error(ErrorDetail("server_error", "audio_lost", lost), None)

    # -- from the client ---------------------------------------------------------------------------------
    def _deliver(self, frame: Frame) -> None:
        try:
            self._read(frame.encode() if isinstance(frame, str) else frame)
        except SlowConsumer as error:
            raise EndConnection(EndReason.SLOW_CONSUMER) from error

    def _read(self, data: bytes) -> None:
        most = self._ports.settings.max_frame_bytes
        if len(data) > most:
            why = f"an event of {len(data)} bytes; send at most {most}"
            self._tell_error(ErrorDetail("invalid_request_error", "frame_too_big", why), None)
            raise EndConnection(EndReason.FRAME_TOO_BIG, "frame_too_big", why)
        head: Head | None = None
        try:
            head = read_head(data)
            self._obey(read_event(head, data), correlation_of(head))
        except BadRequest as error:
            self._refuse(error, head)

    def _obey(self, event: PlainEvent, correlation_id: str | None) -> None:
        if isinstance(event, Append):
            self._append(event)
        else:
            self._respond(correlation_id)

    def _append(self, event: Append) -> None:
        if not event.audio:
            return
        part = self._parts.get(event.source)
        if part is not None and part.ended:
            self._bury(event.source)
            part = None
        if part is None:
            part = self._begin(event.source)
        if part.full and not part.holds:
            lost_ms = round(len(event.audio) * 1000 / self._second_bytes)
            raise QueueOverflow(
                f"{lost_ms} ms of source {event.source} were thrown away: {QUEUE_S:g} s of it wait already; "
                "send in real time"
            )
        part.put(event.audio)

    def _begin(self, source: Source) -> Part:
        translator = SourceTranslator(source, self._responses, self.say)
        serve = partial(self._serve_source, source, translator)
        more_important = sum(SOURCES.index(one) < SOURCES.index(source) for one in self._parts)
        first = source == SOURCES[0]
        part = self._socket.start(more_important, int(QUEUE_S * self._second_bytes), serve, holds=first)
        self._parts[source] = part
        return part

    def _respond(self, correlation_id: str | None) -> None:
        if self._responses.waiting >= MOST_RESPONSES:
            raise BadEvent(f"{MOST_RESPONSES} responses are asked for already; wait for response.done")
        self.say(self._responses.create(correlation_id, tuple(self._parts)))
        for part in self._parts.values():
            part.put(FLUSH)

    def _refuse(self, error: BadRequest, head: Head | None) -> None:
        self._ports.metrics.bad_messages.labels(error.code).inc()
        if not isinstance(error, QueueOverflow):
            self._bad_events += 1
        event_id = None if head is None else head.event_id
        param = getattr(error, "param", None)
        detail = ErrorDetail("invalid_request_error", error.code, error.message, param, event_id)
        self._tell_error(detail, None if head is None else correlation_of(head))
        if self._bad_events >= self._ports.settings.max_bad_messages:
            raise EndConnection(EndReason.BAD_REQUEST, error.code, error.message)

    def _tell_error(self, detail: ErrorDetail, correlation_id: str | None) -> None:
        self.say([messages.Error(detail, UNSET if correlation_id is None else correlation_id)])
