"""`/ws/recite`: the recitation dialect (docs/protocol.md). Only translates."""

from __future__ import annotations

from collections.abc import Sequence, Set

import msgspec
from msgspec import UNSET, UnsetType
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.connection.dialect import Frame, Input
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.enhance_on_end import read_enhance
from gateway.dialects.query import Query, names_session, number, session_id
from gateway.dialects.recite import messages
from gateway.dialects.recite.advice import UPLOAD, advice
from gateway.dialects.recite.commands import BadMessage, Peek, parse_command
from gateway.dialects.recite.word_entries import WordEntries
from gateway.dialects.stated_rate import check_stated_rates
from gateway.interpreters.recitation.interpreter import WordStates
from gateway.interpreters.recitation.passage_length_check import check_length
from gateway.interpreters.recitation.plan import RecitationPlan
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
    Pong,
    SegmentFailed,
    SpeechChanged,
    Trouble,
)
from gateway.session.options import SessionOptions
from gateway.transport.websocket_endpoint import serve_websocket
from shared.errors import BadRequest
from shared.recitation.live.feedback import NoticeCode
from shared.recitation.reference.passage import Passage, VerseRange, load_passage
from shared.recitation.report.report import ReportNotice, VerifyReport, notice_text

PATH = "/ws/recite"
_Other = AudioSafe | FinishFailed | Notice | Pong | SegmentFailed | Trouble
"""Every event that is translated by itself."""


class ReciteDialect:
    """One connection's translator: core events to JSON events, text frames to commands."""

    name = "recite"
    binary_is_audio = True

    def __init__(self) -> None:
        self._words = WordEntries()
        self._passage: Passage | None = None
        self._peeked: set[int] = set()

    def recites(self, passage: Passage) -> None:
        """What is recited; to be called before the session opens."""
        self._passage = passage

    def _notice(self, code: NoticeCode | None) -> ReportNotice | UnsetType:
        if code is None or self._passage is None:
            return UNSET
        return ReportNotice(code, notice_text(self._passage, code))

    def read(self, frame: Frame) -> Sequence[Input]:
        if isinstance(frame, bytes):
            return (frame,)
        command = parse_command(frame)
        if isinstance(command, Peek):
            self._peek(command.word_index)
            return ()
        return (command,)

    def write(self, event: Event) -> Sequence[Frame]:
        if isinstance(event, Heard):
            finding = event.finding
            assert isinstance(finding, WordStates)
            words, notice = self._words.of(finding.feedback.words), self._notice(finding.feedback.notice)
            return (messages.encode_event(_partial(event, finding, words, notice)),)
        if isinstance(event, Opened):
            assert self._passage is not None
            return (messages.encode_event(_ready(event, self._passage)),)
        if isinstance(event, SpeechChanged | Flushed | Ping):
            return ()
        if isinstance(event, Finished):
            return (messages.encode_event(_final(event, self._peeked)),)
        return (messages.encode_event(_translate(event)),)

    def _peek(self, word_index: int) -> None:
        """Kept for this connection only: a client that reconnects names its peeks again."""
        words = 0 if self._passage is None else len(self._passage.words)
        if not 0 <= word_index < words:
            raise BadMessage(f"the passage has no word {word_index}; its words are 0 to {words - 1}")
        self._peeked.add(word_index)


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""

    async def recite(websocket: WebSocket) -> None:
        dialect = ReciteDialect()

        def request(query: Query, tenant: str) -> SessionRequest:
            plan = read_plan(ports, query, _window_bounds(ports))
            dialect.recites(plan.passage)
            options = SessionOptions(
                model=read_model(ports, query), enhance_on_end=read_enhance(query, ports.settings)
            )
            return session_request(dialect.name, plan, query, tenant, options)

        await serve_websocket(ports, websocket, dialect, request)

    return [WebSocketRoute(PATH, recite)]


def read_plan(ports: GatewayPorts, query: Query, window_bounds_s: tuple[float, float]) -> RecitationPlan:
    """The recitation that the query asks for. Raises `BadRequest` with a sentence for the client."""
    passage = read_passage(ports, query)
    return RecitationPlan(ports, passage, _window(query, window_bounds_s))


def read_passage(ports: GatewayPorts, query: Query) -> Passage:
    """The verses that the query asks for, which must not state another rate. Raises `BadRequest`."""
    check_stated_rates(query)
    surah, ayah, to = number(query, "surah"), number(query, "ayah"), number(query, "to")
    if surah is None or ayah is None:
        raise BadRequest("surah and ayah are needed, as in /ws/recite?surah=1&ayah=1&to=7")
    verses = VerseRange.of(surah, ayah, to)
    check_length(verses, ports.settings.max_passage_words)
    # A long passage takes a while the first time it is asked for.
    return load_passage(verses)


def read_model(ports: GatewayPorts, query: Query) -> str:
    """The pool of the model that the query asks for, or that the service chooses for it now; empty: the
    default one. Raises `UnknownModel`."""
    asked = ports.models.wish(query.get("model", ""))
    if asked or names_session(query):
        return asked
    pool = ports.quality.pool_for(asked)
    return "" if pool == ports.models.default else pool


def session_request(
    protocol: str, plan: RecitationPlan, query: Query, tenant: str, options: SessionOptions
) -> SessionRequest:
    """The plan with what the query says about resuming. Raises `BadRequest`."""
    return SessionRequest(
        protocol=protocol,
        plan=plan,
        session_id=session_id(query),
        tenant=tenant,
        last_seq=number(query, "last_seq", least=-1),
        offset=number(query, "offset"),
        named=names_session(query),
        options=options,
    )


def _window(query: Query, bounds_s: tuple[float, float]) -> float | None:
    text = query.get("window", "")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not bounds_s[0] <= seconds <= bounds_s[1]:
        raise BadRequest(f"window must be {bounds_s[0]:g} to {bounds_s[1]:g} seconds, not {text[:20]!r}")
    return seconds


def _window_bounds(ports: GatewayPorts) -> tuple[float, float]:
    return ports.settings.window_min_s, ports.settings.window_max_s


def _translate(event: _Other) -> messages.ServerEvent:
    if isinstance(event, AudioSafe):
        return messages.AckEvent(event.offset)
    if isinstance(event, FinishFailed):
        kept = event.kept
        return messages.FinalResultErrorEvent(
            event.message, UPLOAD, event.code, kept.job_id or UNSET, kept.dropped or UNSET
        )
    if isinstance(event, Pong):
        return messages.PongEvent()
    if isinstance(event, Notice):
        return messages.NoticeEvent(event.code, event.message)
    return _error(event)


def _final(event: Finished, peeked: Set[int]) -> messages.FinalResultEvent:
    assert isinstance(event.report, VerifyReport)
    kept, seen = event.kept, tuple(sorted(peeked)) if peeked else UNSET
    return messages.FinalResultEvent(event.report, seen, kept.job_id or UNSET, kept.dropped or UNSET)


def _ready(event: Opened, passage: Passage) -> messages.ReadyEvent:
    return messages.ReadyEvent(
        session_id=event.session_id,
        connection_id=event.connection_id,
        verse_key=passage.range.first.key,
        passage=str(passage.range),
        words=tuple(word.display for word in passage.words),
        window_seconds=event.window_s,
        epoch=event.epoch,
        resumed=event.resumed,
        next_seq=event.next_seq,
        offset=event.offset,
        gap=messages.gap_info(event.gap),
        max_session_seconds=event.longest_s,
        model=event.model,
    )


def _partial(
    event: Heard, finding: WordStates, words: msgspec.Raw, notice: ReportNotice | UnsetType
) -> messages.PartialResultEvent:
    return messages.PartialResultEvent(
        seq=event.seq,
        partial_transcript=finding.feedback.transcript,
        word_feedback=words,
        latency_ms=messages.latency_info(event.latency),
        server_busy=event.server_busy,
        pointer=finding.feedback.pointer,
        notice=notice,
        audio_quality=finding.feedback.quality,
    )


def _error(event: SegmentFailed | Trouble) -> messages.ErrorEvent:
    if isinstance(event, SegmentFailed):
        code = event.code or event.outcome
        return messages.ErrorEvent(code, event.message, advice(code), seq=event.seq)
    retry = UNSET if event.retry_after_s is None else event.retry_after_s
    return messages.ErrorEvent(
        event.code, event.message, advice(event.code), retry_after_s=retry, gap=messages.gap_info(event.gap)
    )
