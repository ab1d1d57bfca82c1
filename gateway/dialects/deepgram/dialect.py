"""`WS /v1/listen` as docs/clients/deepgram.md describes it. Only translates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.connection.dialect import Command, Frame, Input
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.deepgram import messages
from gateway.dialects.deepgram.parameters import ListenOptions, read_options
from gateway.dialects.deepgram.refusals import CLOSES, denial
from gateway.dialects.deepgram.results import Transcriber
from gateway.dialects.query import Query
from gateway.dialects.recite.commands import BadMessage
from gateway.dialects.stated_rate import check_stated_rates
from gateway.interpreters.transcription.interpreter import UtteranceHeard
from gateway.interpreters.transcription.plan import TranscriptionPlan
from gateway.session.events import (
    AudioSafe,
    Event,
    Finished,
    FinishFailed,
    Flushed,
    Heard,
    SegmentFailed,
    SpeechChanged,
    Trouble,
)
from gateway.session.interpreter import Finding
from gateway.transport.websocket_endpoint import Checked, SocketRules, serve_websocket
from shared.audio.formats import SAMPLE_RATE
from shared.ids import new_connection_id, new_session_id
from shared.unreadable import UNREADABLE, why_unreadable

PATH = "/v1/listen"

COMMANDS = {"KeepAlive": Command.STAY, "Finalize": Command.FLUSH, "CloseStream": Command.END}
_ADVICE = frozenset({"server_busy", "audio_too_fast"})
"""Troubles after which all goes on by itself. Deepgram has no word for them, and its clients take every
`Error` for the end."""
_SHOWN = 200
"""Characters of a client's text that are shown to it again."""


class _Message(msgspec.Struct):
    type: str
    channel: int = 0


_decoder = msgspec.json.Decoder(_Message)


class DeepgramDialect:
    """One connection's translator."""

    name = "deepgram"
    binary_is_audio = False
    """An empty binary frame is the end of the stream."""

    def __init__(self, created_ms: int) -> None:
        """`created_ms`: the time of day, ms of Unix."""
        self.request_id = str(new_connection_id())
        self._created_ms = created_ms
        self._transcriber: Transcriber | None = None
        self._sample_rate = SAMPLE_RATE
        self._channels = 1
        self._bytes = 0
        self._client_sample_bytes = 0
        self._safe = 0
        self._sha256 = hashlib.sha256()
        self._unclear: str | None = None

    def transcribes(self, options: ListenOptions) -> None:
        """What the client asked for; to be called before the session opens."""
        self._transcriber = Transcriber(options, self.request_id)
        audio = options.session.audio_format
        self._sample_rate, self._channels = audio.rate, audio.channels
        self._client_sample_bytes = audio.client_sample_bytes

    # -- from the client -----------------------------------------------------------------------------
    def read(self, frame: Frame) -> Sequence[Input]:
        if isinstance(frame, bytes):
            if not frame:
                return (Command.END,)
            self._sha256.update(frame)
            self._bytes += len(frame)
            return (frame,)
        try:
            message = _decoder.decode(frame)
            check_stated_rates(msgspec.json.decode(frame), self._sample_rate)
        except UNREADABLE as error:
            self._unclear = frame[:_SHOWN]
            why = why_unreadable(error)
            raise BadMessage(f'text must be a message such as {{"type": "KeepAlive"}}: {why}') from error
        command = COMMANDS.get(message.type)
        if command is None:
            self._unclear = frame[:_SHOWN]
            raise BadMessage(
                f"{message.type[:40]!r} is no message that is understood here; send KeepAlive, Finalize or "
                "CloseStream; audio goes into binary frames"
            )
        if command is Command.FLUSH and self._transcriber is not None:
            self._transcriber.finalize()
        return (command,)

    # -- to the client -------------------------------------------------------------------------------
    def write(self, event: Event) -> Sequence[Frame]:
        told = self._trouble(event) if isinstance(event, Trouble) else self._messages(event)
        return [messages.encode(message) for message in told]

    def _messages(self, event: Event) -> Iterator[messages.ServerMessage]:
        transcriber = self._transcriber
        if transcriber is None:
            return
        if isinstance(event, Heard):
            yield from transcriber.hear(_utterance(event.finding))
        elif isinstance(event, SegmentFailed):
            yield messages.Error(event.code or event.outcome, event.message)
            if event.finding is not None:
                yield from transcriber.hear(_utterance(event.finding))
        elif isinstance(event, SpeechChanged):
            yield from transcriber.speech(event.speaking, event.sample / SAMPLE_RATE)
        elif isinstance(event, AudioSafe):
            self._safe = event.offset
            yield from transcriber.time(event.offset / self._sample_rate)
        elif isinstance(event, Flushed):
            yield from transcriber.flushed()
        elif isinstance(event, Finished):
            yield from transcriber.end()
            yield self._metadata()
        elif isinstance(event, FinishFailed):
            yield messages.Error(event.code, event.message)

    def _trouble(self, event: Trouble) -> Iterator[messages.Error]:
        if event.code in _ADVICE:
            return
        if self._unclear is not None:
            unclear, self._unclear = self._unclear, None
            yield messages.Error(messages.SCHEMA_ERROR, event.message, unclear)
            return
        yield messages.Error(event.code, event.message)

    def _metadata(self) -> messages.Metadata:
        return messages.Metadata(
            transaction_key="deprecated",
            request_id=self.request_id,
            sha256=self._sha256.hexdigest(),
            created=messages.timestamp(self._created_ms),
            duration=round(self._duration_s(), 3),
            channels=self._channels,
        )

    def _duration_s(self) -> float:
        """Of what was sent; in a container only what was decoded of it can be known."""
        if not self._client_sample_bytes:
            return self._safe / self._sample_rate
        return self._bytes // self._client_sample_bytes / self._sample_rate


def _utterance(finding: Finding) -> UtteranceHeard:
    assert isinstance(finding, UtteranceHeard)
    return finding


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""

    async def listen(websocket: WebSocket) -> None:
        dialect = DeepgramDialect(ports.clock.wall_ms())
        asked = websocket.query_params
        terms = [*asked.getlist("keyterm"), *asked.getlist("keywords")]

        def request(query: Query, tenant: str) -> SessionRequest:
            options = read_options(query, terms, ports.settings)
            dialect.transcribes(options)
            return SessionRequest(
                protocol=dialect.name,
                plan=TranscriptionPlan(ports, options.session),
                session_id=new_session_id(),
                tenant=tenant,
                named=False,
                resumable=False,
                options=options.session,
            )

        rules = SocketRules(
            CLOSES,
            denial,
            first=Checked.REQUEST,
            headers=((b"dg-request-id", dialect.request_id.encode()),),
        )
        await serve_websocket(ports, websocket, dialect, request, rules)

    return [WebSocketRoute(PATH, listen)]
