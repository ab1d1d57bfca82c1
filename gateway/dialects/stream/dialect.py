"""`/ws/stream`, protocol 1.0, as docs/clients/stream.md describes it. Only translates."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.connection.connection_rules import ConnectionRules
from gateway.connection.dialect import Frame, Input
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.enhance_on_end import read_enhance
from gateway.dialects.query import Query, flag, names_session, number, session_id
from gateway.dialects.recite.dialect import read_model, read_passage
from gateway.dialects.recite.messages import gap_info
from gateway.dialects.stream import messages
from gateway.dialects.stream.client_messages import read_message
from gateway.dialects.stream.results import result_of, violation_of
from gateway.dialects.stream.version import HEADER, VERSION, check_version
from gateway.interpreters.recitation.changes import Changes, changes_of
from gateway.interpreters.recitation.interpreter import WordStates
from gateway.interpreters.recitation.plan import Looks, RecitationPlan
from gateway.session.events import (
    AudioSafe,
    Event,
    Finished,
    FinishFailed,
    Flushed,
    Heard,
    Notice,
    Opened,
    Ping,
    SegmentFailed,
    SpeechChanged,
    Trouble,
)
from gateway.session.options import SessionOptions
from gateway.settings import GatewaySettings
from gateway.transport.websocket import CLOSES
from gateway.transport.websocket_endpoint import SocketRules, serve_websocket
from shared.audio.formats import SAMPLE_RATE
from shared.clock import Clock
from shared.recitation.reference.passage import Passage
from shared.recitation.report.report import VerifyReport

PATH = "/ws/stream"
LOOKS = Looks(step_s=1.0, window_s=5.0, overlap_s=0.5)
BACKLOG_S = 10.0
"""Audio that may wait uncut in one connection: two of the longest windows."""
RULES = SocketRules(CLOSES, headers=((HEADER.encode(), VERSION.encode()),))
_NOTHING = messages.Nothing()


class StreamDialect:
    """One connection's translator."""

    name = "stream"
    binary_is_audio = True

    def __init__(self, clock: Clock, rules: ConnectionRules) -> None:
        """`clock`: of the messages' timestamps; `rules`: told in `ready`."""
        self._clock = clock
        self._rules = rules
        self._passage: Passage | None = None

    def recites(self, passage: Passage) -> None:
        """What is recited; to be called before the session opens."""
        self._passage = passage

    def read(self, frame: Frame) -> Sequence[Input]:
        return (frame,) if isinstance(frame, bytes) else read_message(frame)

    def write(self, event: Event) -> Sequence[Frame]:
        now_s = self._clock.wall_ms() / 1000
        return [messages.encode(message) for message in self._messages(event, now_s)]

    def _messages(self, event: Event, now_s: float) -> Sequence[messages.ServerMessage]:
        if isinstance(event, Heard):
            return self._heard(event, now_s)
        if isinstance(event, Finished):
            assert isinstance(event.report, VerifyReport)
            kept = event.kept
            data = messages.ScoreData(event.report, kept.job_id or UNSET, kept.dropped or UNSET)
            score = messages.Score(data, now_s)
            return (*_at_the_end(event, now_s), score)
        if isinstance(event, FinishFailed):
            kept = event.kept
            failed = messages.NoScoreData(
                event.code, event.message, kept.job_id or UNSET, kept.dropped or UNSET
            )
            return (*_at_the_end(event, now_s), messages.ScoreError(failed, now_s))
        return (self._other(event, now_s),)

    def _other(self, event: Event, now_s: float) -> messages.ServerMessage:
        if isinstance(event, AudioSafe):
            return messages.Ack(messages.AckData(event.offset), now_s)
        if isinstance(event, Opened):
            return messages.Ready(self._ready(event), now_s)
        if isinstance(event, SpeechChanged):
            at = round(event.sample / SAMPLE_RATE, 3)
            return messages.Speech(messages.SpeechData(event.speaking, at), now_s)
        if isinstance(event, SegmentFailed | Trouble):
            return messages.Error(_error(event), now_s)
        if isinstance(event, Notice):
            return messages.Notice(messages.NoticeData(event.code, event.message), now_s)
        if isinstance(event, Flushed):
            return messages.Flushed(_NOTHING, now_s)
        if isinstance(event, Ping):
            return messages.PingMessage(_NOTHING, now_s)
        return messages.PongMessage(_NOTHING, now_s)

    def _heard(self, event: Heard, now_s: float) -> Sequence[messages.ServerMessage]:
        """What was heard, and after it what is certain now."""
        states = event.finding
        assert isinstance(states, WordStates)
        assert self._passage is not None
        changes = changes_of(states)
        result = result_of(event, states, changes, self._passage)
        return (messages.Result(result, now_s), *_mistakes(states, changes, now_s))

    def _ready(self, event: Opened) -> messages.ReadyData:
        assert self._passage is not None
        return messages.ReadyData(
            version=VERSION,
            session_id=event.session_id,
            connection_id=event.connection_id,
            passage=str(self._passage.range),
            words=tuple(word.display for word in self._passage.words),
            model=event.model,
            window_seconds=LOOKS.window_s,
            overlap_seconds=LOOKS.overlap_s,
            ping_seconds=self._rules.ping_s,
            pong_seconds=self._rules.pong_s,
            max_session_seconds=event.longest_s,
            epoch=event.epoch,
            resumed=event.resumed,
            next_seq=event.next_seq,
            offset=event.offset,
            gap=gap_info(event.gap),
        )


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""
    rules = connection_rules(ports.settings)

    async def stream(websocket: WebSocket) -> None:
        dialect = StreamDialect(ports.clock, rules)

        def request(query: Query, tenant: str) -> SessionRequest:
            check_version(websocket.headers.get(HEADER))
            passage = read_passage(ports, query)
            dialect.recites(passage)
            options = read_options(ports, query)
            return SessionRequest(
                protocol=dialect.name,
                plan=RecitationPlan(ports, passage, looks=LOOKS, options=options),
                session_id=session_id(query),
                tenant=tenant,
                last_seq=number(query, "last_seq", least=-1),
                offset=number(query, "offset"),
                named=names_session(query),
                options=options,
                rules=rules,
            )

        await serve_websocket(ports, websocket, dialect, request, RULES)

    return [WebSocketRoute(PATH, stream)]


def read_options(ports: GatewayPorts, query: Query) -> SessionOptions:
    """What the query asks for. Raises `BadRequest` with a sentence for the client."""
    return SessionOptions(
        model=read_model(ports, query),
        interim_results=flag(query, "interim_results", True),
        detect_speech=True,
        endpoint_ms=ports.settings.vad_endpoint_ms,
        enhance_on_end=read_enhance(query, ports.settings),
    )


def connection_rules(settings: GatewaySettings) -> ConnectionRules:
    """Of every connection of this dialect."""
    # Base64 writes three bytes as four letters; the rest of a message is no longer than any other text frame.
    text_bytes = settings.max_frame_bytes * 4 // 3 + settings.max_text_bytes
    return ConnectionRules(settings.ping_s, settings.pong_s, BACKLOG_S, text_bytes, flushes=True)


def _at_the_end(
    event: Finished | FinishFailed, now_s: float
) -> Sequence[messages.Violation | messages.Correction]:
    """What no result has told, because only the end made it certain."""
    states = event.finding
    return _mistakes(states, changes_of(states), now_s) if isinstance(states, WordStates) else ()


def _mistakes(
    states: WordStates, changes: Changes, now_s: float
) -> Sequence[messages.Violation | messages.Correction]:
    words = states.feedback.words
    return (
        *(messages.Violation(violation_of(word, words), now_s) for word in changes.mistakes),
        *(messages.Correction(violation_of(word, words), now_s) for word in changes.corrected),
    )


def _error(event: SegmentFailed | Trouble) -> messages.ErrorData:
    if isinstance(event, SegmentFailed):
        return messages.ErrorData(event.code or event.outcome, event.message, seq=event.seq)
    retry = UNSET if event.retry_after_s is None else event.retry_after_s
    return messages.ErrorData(event.code, event.message, retry_after_s=retry, gap=gap_info(event.gap))
