"""`/v1/audio/transcriptions/stream`, as docs/clients/transcriptions.md describes it. Only translates."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.connection.dialect import Command, Dialect, Frame, Input
from gateway.connection.serve import serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import Transport
from gateway.dependencies import GatewayPorts
from gateway.dialects.channels import Addressees, ChannelSession, serve_channels
from gateway.dialects.query import Query
from gateway.dialects.recite.commands import BadMessage
from gateway.dialects.stated_rate import check_stated_rates
from gateway.dialects.transcriptions import messages
from gateway.dialects.transcriptions.request import read_multichannel, read_request
from gateway.interpreters.transcription.interpreter import UtteranceHeard
from gateway.interpreters.transcription.plan import Transcript, TranscriptionPlan
from gateway.session.events import (
    AudioSafe,
    Event,
    Finished,
    FinishFailed,
    Flushed,
    Gap,
    Heard,
    Notice,
    Opened,
    Ping,
    Pong,
    SegmentFailed,
    SpeechChanged,
    Trouble,
)
from gateway.session.interpreter import Finding
from gateway.session.options import DEFAULT_OPTIONS, SessionOptions
from gateway.transport.websocket import CLOSES
from gateway.transport.websocket_endpoint import SocketRules, serve_websocket
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest
from shared.ids import new_session_id
from shared.unreadable import UNREADABLE, why_unreadable

PATH = "/v1/audio/transcriptions/stream"
COMMANDS = {"end": Command.END, "flush": Command.FLUSH, "ping": Command.PING}
_GOES_ON = frozenset({"server_busy", "audio_too_fast", "state_lost", "bad_message"})
"""Troubles that a client is warned of; after any other one the connection ends."""


_LOWERED = {
    "long_windows": "looks are further apart",
    "no_interim": "there are no interim results",
    "fast_model": "the fast model transcribes",
}
"""What each quality step means for a transcription."""


class _Message(msgspec.Struct):
    type: str


_decoder = msgspec.json.Decoder(_Message)


class TranscriptionsDialect:
    """One connection's translator."""

    name = "transcriptions"
    binary_is_audio = True

    def __init__(self, channel: int | None = None) -> None:
        """`channel`: the only one that it is about, None: all there are."""
        self._options = DEFAULT_OPTIONS
        self._channel = channel

    def transcribes(self, options: SessionOptions) -> None:
        """What the client asked for; to be called before the session opens."""
        self._options = options

    def read(self, frame: Frame) -> Sequence[Input]:
        if isinstance(frame, bytes):
            return (frame,)
        word = frame.strip()
        if word.startswith("{"):
            try:
                check_stated_rates(msgspec.json.decode(word), self._options.sample_rate)
                word = _decoder.decode(word).type
            except UNREADABLE as error:
                why = why_unreadable(error)
                raise BadMessage(f'text must be a command such as {{"type": "end"}}: {why}') from error
        command = COMMANDS.get(word.lower())
        if command is None:
            raise BadMessage(
                f"{word[:40]!r} is no command; send end, flush or ping; audio goes into binary frames"
            )
        return (command,)

    def write(self, event: Event) -> Sequence[Frame]:
        if self._channel is None:
            return [messages.encode(message) for message in self._messages(event)]
        return [
            messages.encode(msgspec.structs.replace(message, channel=self._channel))
            for message in self._messages(event)
            if not isinstance(message, messages.Pong)
        ] or self._pong(event)

    def _pong(self, event: Event) -> Sequence[Frame]:
        """A ping reaches every channel; the first one answers for all."""
        return [messages.encode(messages.Pong())] if isinstance(event, Pong) and not self._channel else []

    def _messages(self, event: Event) -> Sequence[messages.ServerMessage]:
        if isinstance(event, Heard):
            return self._utterance(event.seq, event.finding)
        if isinstance(event, Opened):
            return (self._begin(event), *_lowered(event.lowered))
        if isinstance(event, AudioSafe):
            return (messages.Ack(event.offset),)
        if isinstance(event, SpeechChanged):
            kind = messages.SpeechStart if event.speaking else messages.SpeechEnd
            return (kind(round(event.sample / SAMPLE_RATE, 3)),)
        if isinstance(event, SegmentFailed):
            failed = messages.Error(event.code or event.outcome, event.message, seq=event.seq)
            return (failed, *(self._utterance(event.seq, event.finding) if event.finding else ()))
        if isinstance(event, Flushed | Ping):
            return ()
        if isinstance(event, Finished):
            return _end(event)
        return (self._other(event),)

    def _other(self, event: Notice | Trouble | FinishFailed | Pong) -> messages.ServerMessage:
        if isinstance(event, Pong):
            return messages.Pong()
        if isinstance(event, Notice):
            return messages.Warning(event.code, event.message)
        if isinstance(event, FinishFailed):
            return messages.Error(event.code, event.message)
        if event.code in _GOES_ON:
            return messages.Warning(event.code, event.message, gap=_gap(event.gap))
        retry = UNSET if event.retry_after_s is None else event.retry_after_s
        return messages.Error(event.code, event.message, retry_after_s=retry)

    def _begin(self, event: Opened) -> messages.SessionBegin:
        options = self._options
        return messages.SessionBegin(
            session_id=event.session_id,
            language=options.language,
            model=event.model,
            sample_rate=options.sample_rate,
            resumed=event.resumed,
            next_seq=event.next_seq,
            offset=event.offset,
            gap=_gap(event.gap),
        )

    def _utterance(self, seq: int, finding: Finding) -> Sequence[messages.ServerMessage]:
        """Nothing for noise: an utterance without words."""
        assert isinstance(finding, UtteranceHeard)
        utterance = finding.utterance
        start, end = utterance.start_ms / 1000, utterance.end_ms / 1000
        if not utterance.ended:
            if not self._options.interim_results or not utterance.text:
                return ()
            partial = messages.TranscriptPartial(
                seq, utterance.number, utterance.text, utterance.stable_text, start, end
            )
            return (partial,)
        if not utterance.words:
            return ()
        words = (
            tuple(map(messages.transcript_word, utterance.words)) if self._options.word_timestamps else UNSET
        )
        return (messages.TranscriptFinal(seq, utterance.number, utterance.text, start, end, words),)


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""

    async def transcribe(websocket: WebSocket) -> None:
        dialect = TranscriptionsDialect()

        def request(query: Query, tenant: str) -> SessionRequest:
            asked = read_request(ports, query, tenant, dialect.name)
            dialect.transcribes(asked.options)
            return asked

        async def serve(
            ports: GatewayPorts, transport: Transport, dialect: Dialect, asked: SessionRequest, address: str
        ) -> None:
            if not read_multichannel(websocket.query_params):
                await serve_session(ports, transport, dialect, asked, address)
                return
            apart = [_of_channel(ports, asked, channel) for channel in range(asked.options.channels)]
            await serve_channels(
                ports, transport, apart, asked.options.audio_format, _addressees(apart), address
            )

        await serve_websocket(ports, websocket, dialect, request, SocketRules(CLOSES, serve=serve))

    return [WebSocketRoute(PATH, transcribe)]


def _of_channel(ports: GatewayPorts, asked: SessionRequest, channel: int) -> ChannelSession:
    """One channel is a session of its own, which only lives as long as its socket."""
    options = msgspec.structs.replace(asked.options, channels=1)
    dialect = TranscriptionsDialect(channel)
    dialect.transcribes(options)
    request = msgspec.structs.replace(
        asked,
        plan=TranscriptionPlan(ports, options),
        session_id=new_session_id(),
        last_seq=None,
        offset=None,
        named=False,
        resumable=False,
        options=options,
    )
    return ChannelSession(dialect, request)


def _addressees(apart: Sequence[ChannelSession]) -> Addressees:
    """A command is for every channel; of what is none the first one tells the client."""

    def of(text: str) -> Sequence[int]:
        try:
            apart[0].dialect.read(text)
        except BadRequest:
            return (0,)
        return range(len(apart))

    return of


def _end(event: Finished) -> Sequence[messages.ServerMessage]:
    report = event.report
    assert isinstance(report, Transcript)
    end = messages.SessionEnd(report.text, event.kept.job_id or UNSET)
    if not event.kept.dropped:
        return (end,)
    why = f"the recording was not kept, so there is no second transcript: {event.kept.dropped}"
    return (messages.Warning("enhancement_dropped", why), end)


def _lowered(steps: Sequence[str]) -> Sequence[messages.Warning]:
    if not steps:
        return ()
    what = "; ".join(_LOWERED[step] for step in steps)
    return (messages.Warning("quality_lowered", f"the service is under load: {what}"),)


def _gap(gap: Gap | None) -> messages.GapInfo | UnsetType:
    return UNSET if gap is None else messages.GapInfo(gap.from_sample, gap.to_sample)
