"""`/v1/audio/transcriptions/stream`, as docs/clients/transcriptions.md describes it. Only translates."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.admission.pools import ModelCatalogue
from gateway.admission.quality import Terms
from gateway.connection.connection_rules import ConnectionRules
from gateway.connection.dialect import Command, Frame, Input
from gateway.connection.lag_watch import LagLimits
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.enhance_on_end import read_enhance
from gateway.dialects.query import Query, flag, names_session, number, session_id
from gateway.dialects.recite.commands import BadMessage
from gateway.dialects.stated_rate import check_stated_rates
from gateway.dialects.transcriptions import messages
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
from gateway.settings import GatewaySettings
from gateway.settings.transcription import OVERFLOWS, Overflow
from gateway.transport.websocket_endpoint import serve_websocket
from shared.audio.formats import MAX_CHANNELS, SAMPLE_RATE, AudioFormat
from shared.errors import BadRequest
from shared.unreadable import UNREADABLE, why_unreadable

PATH = "/v1/audio/transcriptions/stream"
MAX_VOCABULARY = 500
"""Characters of `vocabulary`: about half of what Whisper can be told before its text."""

LANGUAGE_PATTERN = "[a-z]{2,3}"
LEAST_ENDPOINT_MS, MOST_ENDPOINT_MS = 200, 5000
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

    def __init__(self) -> None:
        self._options = DEFAULT_OPTIONS

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
        return [messages.encode(message) for message in self._messages(event)]

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
            asked = read_options(query, ports.settings, ports.models)
            # A session that is gone on with keeps what it has.
            overflow = read_overflow(query, ports.settings)
            lowers = overflow == "degrade" and not names_session(query)
            options, lowered = ports.quality.terms(asked) if lowers else Terms(asked)
            dialect.transcribes(options)
            offset = number(query, "offset")
            return SessionRequest(
                protocol=dialect.name,
                plan=TranscriptionPlan(ports, options),
                session_id=session_id(query),
                tenant=tenant,
                last_seq=number(query, "last_seq", least=-1),
                offset=None if offset is None else options.audio_format.samples(offset),
                named=names_session(query),
                options=options,
                lowered=tuple(step.name.lower() for step in lowered),
                rules=ConnectionRules(lag=lag_limits(overflow, ports.settings)),
            )

        await serve_websocket(ports, websocket, dialect, request)

    return [WebSocketRoute(PATH, transcribe)]


def read_options(query: Query, settings: GatewaySettings, models: ModelCatalogue) -> SessionOptions:
    """What the query asks for. Raises `BadRequest` with a sentence for the client."""
    audio = AudioFormat.parse(
        query.get("encoding", "") or "pcm_s16le",
        number(query, "sample_rate"),
        number(query, "channels", least=1, most=MAX_CHANNELS) or 1,
    )
    language = query.get("language", "") or "en"
    if not re.fullmatch(LANGUAGE_PATTERN, language):
        raise BadRequest(f"language must be a code such as en or ar, not {language[:20]!r}")
    vocabulary = query.get("vocabulary", "")
    if len(vocabulary) > MAX_VOCABULARY:
        raise BadRequest(f"vocabulary holds at most {MAX_VOCABULARY} characters")
    endpoint_ms = number(query, "endpoint_ms", least=LEAST_ENDPOINT_MS, most=MOST_ENDPOINT_MS)
    return SessionOptions(
        language=language,
        model=models.wish(query.get("model", ""), transcription=True),
        word_timestamps=flag(query, "word_timestamps", False),
        prompt=vocabulary,
        interim_results=flag(query, "interim_results", True),
        detect_speech=flag(query, "enable_vad", True),
        endpoint_ms=endpoint_ms or settings.vad_endpoint_ms,
        encoding=audio.encoding,
        sample_rate=audio.rate,
        channels=audio.channels,
        enhance_on_end=read_enhance(query, settings),
    )


def _end(event: Finished) -> Sequence[messages.ServerMessage]:
    report = event.report
    assert isinstance(report, Transcript)
    end = messages.SessionEnd(report.text, event.kept.job_id or UNSET)
    if not event.kept.dropped:
        return (end,)
    why = f"the recording was not kept, so there is no second transcript: {event.kept.dropped}"
    return (messages.Warning("enhancement_dropped", why), end)


def read_overflow(query: Query, settings: GatewaySettings) -> Overflow:
    """What shall be done when the service is under load. Raises `BadRequest` for another word."""
    asked = query.get("overflow", "") or settings.overflow
    for known in OVERFLOWS:
        if asked == known:
            return known
    raise BadRequest(f"overflow must be {', '.join(OVERFLOWS)}, not {asked[:20]!r}")


def lag_limits(overflow: Overflow, settings: GatewaySettings) -> LagLimits:
    """Everybody is warned; only who asked for `reject` is sent away."""
    longest_s = settings.lag_longest_s if overflow == "reject" else None
    return LagLimits(settings.lag_warn_s, longest_s, settings.lag_for_s)


def _lowered(steps: Sequence[str]) -> Sequence[messages.Warning]:
    if not steps:
        return ()
    what = "; ".join(_LOWERED[step] for step in steps)
    return (messages.Warning("quality_lowered", f"the service is under load: {what}"),)


def _gap(gap: Gap | None) -> messages.GapInfo | UnsetType:
    return UNSET if gap is None else messages.GapInfo(gap.from_sample, gap.to_sample)
