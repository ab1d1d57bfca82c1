"""`WS /v1/listen` as docs/clients/deepgram.md describes it. Only translates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.connection.dialect import Command, Dialect, Frame, Input
from gateway.connection.serve import serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import Transport
from gateway.dependencies import GatewayPorts
from gateway.dialects.channels import Addressees, ChannelSession, serve_channels
from gateway.dialects.deepgram import messages
from gateway.dialects.deepgram.parameters import ListenOptions, read_options
from gateway.dialects.deepgram.refusals import CLOSES, denial
from gateway.dialects.deepgram.results import Transcriber
from gateway.dialects.deepgram.stream_facts import StreamFacts
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
from shared.ids import new_session_id
from shared.unreadable import UNREADABLE, why_unreadable

PATH = "/v1/listen"

COMMANDS = {"KeepAlive": Command.STAY, "Finalize": Command.FLUSH, "CloseStream": Command.END}
_ADVICE = frozenset({"server_busy", "audio_too_fast"})
"""Troubles after which all goes on by itself. Deepgram has no word for them, and its clients take every
`Error` for the end."""
_SHOWN = 200
"""Characters of a client's text that are shown to it again."""


class _Message(msgspec.Struct):
    """`channel`: of `Finalize`, None: of all."""

    type: str
    channel: int | None = None


_decoder = msgspec.json.Decoder(_Message)


class DeepgramDialect:
    """One connection's translator."""

    name = "deepgram"
    binary_is_audio = False
    """An empty binary frame is the end of the stream."""

    def __init__(self, facts: StreamFacts, channel: int | None = None) -> None:
        """`facts`: of the whole stream. `channel`: the only one that it is about, None: all there are."""
        self._facts = facts
        self._channel = channel
        self._transcriber: Transcriber | None = None
        self._sample_rate = SAMPLE_RATE
        self._safe = 0
        self._unclear: str | None = None

    def transcribes(self, options: ListenOptions) -> None:
        """What the client asked for; to be called before the session opens."""
        audio = options.session.audio_format
        channel = (0, 1) if self._channel is None else (self._channel, self._facts.audio.channels)
        self._transcriber = Transcriber(options, self._facts.request_id, channel)
        self._sample_rate = audio.rate
        if self._channel is None:
            self._facts.audio = audio

    # -- from the client -----------------------------------------------------------------------------
    def read(self, frame: Frame) -> Sequence[Input]:
        if isinstance(frame, bytes):
            if not frame:
                return (Command.END,)
            if self._channel is None:
                self._facts.sent(frame)
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
            yield from self._end(transcriber)
        elif isinstance(event, FinishFailed):
            yield messages.Error(event.code, event.message)

    def _end(self, transcriber: Transcriber) -> Iterator[messages.ServerMessage]:
        yield from transcriber.end()
        if self._facts.channel_ends():
            yield self._facts.metadata(self._safe)

    def _trouble(self, event: Trouble) -> Iterator[messages.Error]:
        if event.code in _ADVICE:
            return
        if self._unclear is not None:
            unclear, self._unclear = self._unclear, None
            yield messages.Error(messages.SCHEMA_ERROR, event.message, unclear)
            return
        yield messages.Error(event.code, event.message)


def _utterance(finding: Finding) -> UtteranceHeard:
    assert isinstance(finding, UtteranceHeard)
    return finding


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""

    async def listen(websocket: WebSocket) -> None:
        facts = StreamFacts(ports.clock.wall_ms())
        asked = websocket.query_params
        terms = [*asked.getlist("keyterm"), *asked.getlist("keywords")]
        dialect, listens = DeepgramDialect(facts), list[ListenOptions]()

        def request(query: Query, tenant: str) -> SessionRequest:
            options = read_options(query, terms, ports.settings)
            listens.append(options)
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

        async def serve(
            ports: GatewayPorts, transport: Transport, dialect: Dialect, whole: SessionRequest, address: str
        ) -> None:
            [options] = listens
            if not options.apart:
                await serve_session(ports, transport, dialect, whole, address)
                return
            audio = facts.audio
            facts.apart(audio.channels)
            apart = [_of_channel(ports, whole, options, facts, one) for one in range(audio.channels)]
            of = _addressees(apart)
            await serve_channels(ports, transport, apart, audio, of, address, facts.sent)

        rules = SocketRules(
            CLOSES,
            denial,
            first=Checked.REQUEST,
            headers=((b"dg-request-id", facts.request_id.encode()),),
            serve=serve,
        )
        await serve_websocket(ports, websocket, dialect, request, rules)

    return [WebSocketRoute(PATH, listen)]


def _of_channel(
    ports: GatewayPorts, whole: SessionRequest, options: ListenOptions, facts: StreamFacts, channel: int
) -> ChannelSession:
    mono = options._replace(session=msgspec.structs.replace(options.session, channels=1))
    dialect = DeepgramDialect(facts, channel)
    dialect.transcribes(mono)
    plan = TranscriptionPlan(ports, mono.session)
    request = msgspec.structs.replace(whole, plan=plan, session_id=new_session_id(), options=mono.session)
    return ChannelSession(dialect, request)


def _addressees(apart: Sequence[ChannelSession]) -> Addressees:
    """`Finalize` may name one channel; whatever else is understood is for all."""

    def of(text: str) -> Sequence[int]:
        try:
            message = _decoder.decode(text)
        except UNREADABLE:
            return (0,)
        if message.type not in COMMANDS:
            return (0,)
        named = message.channel
        if message.type == "Finalize" and named is not None and 0 <= named < len(apart):
            return (named,)
        return range(len(apart))

    return of
