"""`/ws/recite`: the recitation dialect (docs/protocol.md). Only translates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.auth.api_keys import SUBPROTOCOL
from gateway.connection.resume import SessionRequest
from gateway.connection.serve import refuse, serve_session
from gateway.dependencies import GatewayPorts
from gateway.dialects.passage_limit import check_length
from gateway.dialects.recite import messages
from gateway.dialects.recite.commands import Command, check_sample_rate, parse_command
from gateway.dialects.recite.word_entries import WordEntries
from gateway.session.events import (
    AudioSafe,
    Event,
    Finished,
    FinishFailed,
    Gap,
    Heard,
    Opened,
    Pong,
    SegmentFailed,
    Trouble,
)
from gateway.transport.websocket import StarletteSocket
from shared.errors import BadRequest, RattilError
from shared.ids import SessionId, is_session_id, new_session_id
from shared.recitation.reference.passage import VerseRange, load_passage

PATH = "/ws/recite"
FALLBACK = "Use POST /verify with full audio of the recitation"
_MAX_NUMBER = 10**12
"""Bound of client-supplied seq and offset; 10^12 samples are two years of audio."""


_Other = AudioSafe | Opened | Finished | FinishFailed | Pong | SegmentFailed | Trouble
"""Every event but `Heard`, which is what most of them are."""


class ReciteDialect:
    """One connection's translator: core events to JSON events, text frames to commands."""

    name = "recite"

    def __init__(self) -> None:
        self._words = WordEntries()

    def read(self, text: str) -> Command:
        return parse_command(text)

    def write(self, event: Event) -> str:
        if isinstance(event, Heard):
            return messages.encode_event(_partial(event, self._words.of(event.feedback.words)))
        return messages.encode_event(_translate(event))


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""

    async def recite(websocket: WebSocket) -> None:
        if not origin_allowed(ports, websocket):
            await websocket.close(1008, "origin_not_allowed")
            return
        offered = websocket.scope.get("subprotocols", [])
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        socket, dialect = StarletteSocket(websocket), ReciteDialect()
        try:
            tenant = ports.auth.tenant(websocket.headers, websocket.query_params, offered)
            if not names_session(websocket.query_params):
                ports.leases.expect_room()
            # In a thread: a long passage takes a while the first time it is asked for.
            query = dict(websocket.query_params)
            max_words = ports.settings.max_passage_words
            request = await asyncio.to_thread(read_request, query, tenant, _window_bounds(ports), max_words)
        except RattilError as error:
            await refuse(ports, socket, dialect, error)
            return
        await serve_session(ports, socket, dialect, request)

    return [WebSocketRoute(PATH, recite)]


def origin_allowed(ports: GatewayPorts, websocket: WebSocket) -> bool:
    """Browsers say which page opened the socket; other clients send no Origin and are let in."""
    allowed = [part.strip() for part in ports.settings.allowed_origins.split(",") if part.strip()]
    origin = websocket.headers.get("origin")
    return not allowed or origin is None or origin in allowed


def names_session(query: Mapping[str, str]) -> bool:
    """Whether the client names a session, which may hold a lease already."""
    return bool(query.get("session_id"))


def read_request(
    query: Mapping[str, str], tenant: str, window_bounds_s: tuple[float, float], max_words: int
) -> SessionRequest:
    """The query of `/ws/recite`. Raises `BadRequest` and its kin, with a sentence for the client."""
    sample_rate = _number(query, "sample_rate")
    if sample_rate is not None:
        check_sample_rate(sample_rate)
    surah, ayah, to = _number(query, "surah"), _number(query, "ayah"), _number(query, "to")
    if surah is None or ayah is None:
        raise BadRequest("surah and ayah are needed, as in /ws/recite?surah=1&ayah=1&to=7")
    verses = VerseRange.of(surah, ayah, to)
    check_length(verses, max_words)
    return SessionRequest(
        protocol=ReciteDialect.name,
        passage=load_passage(verses),
        session_id=_session_id(query),
        tenant=tenant,
        last_seq=_number(query, "last_seq", least=-1),
        offset=_number(query, "offset"),
        window_s=_window(query, window_bounds_s),
        named=names_session(query),
    )


def _session_id(query: Mapping[str, str]) -> SessionId:
    given = query.get("session_id", "")
    if not given:
        return new_session_id()
    if not is_session_id(given):
        raise BadRequest("session_id must be 8 to 64 letters, digits, - or _, as `ready` gave it")
    return SessionId(given)


def _number(query: Mapping[str, str], name: str, least: int = 0) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        number = int(text) if text.isascii() else None
    except ValueError:
        number = None
    if number is None or not least <= number <= _MAX_NUMBER:
        raise BadRequest(f"{name} must be a whole number from {least}, not {text[:20]!r}")
    return number


def _window(query: Mapping[str, str], bounds_s: tuple[float, float]) -> float | None:
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
    if isinstance(event, Opened):
        return _ready(event)
    if isinstance(event, Finished):
        return messages.FinalResultEvent(event.report)
    if isinstance(event, FinishFailed):
        return messages.FinalResultErrorEvent(event.message, FALLBACK, event.code)
    if isinstance(event, Pong):
        return messages.PongEvent()
    return _error(event)


def _ready(event: Opened) -> messages.ReadyEvent:
    passage = event.passage
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
        gap=_gap(event.gap),
    )


def _partial(event: Heard, words: msgspec.Raw) -> messages.PartialResultEvent:
    latency = event.latency
    return messages.PartialResultEvent(
        seq=event.seq,
        partial_transcript=event.feedback.transcript,
        word_feedback=words,
        latency_ms=messages.LatencyInfo(
            latency.buffer_ms, latency.queued_ms, latency.inference_ms, latency.total_ms
        ),
        server_busy=event.server_busy,
    )


def _error(event: SegmentFailed | Trouble) -> messages.ErrorEvent:
    if isinstance(event, SegmentFailed):
        return messages.ErrorEvent(event.code or event.outcome, event.message, FALLBACK, seq=event.seq)
    retry = UNSET if event.retry_after_s is None else event.retry_after_s
    return messages.ErrorEvent(event.code, event.message, FALLBACK, retry_after_s=retry, gap=_gap(event.gap))


def _gap(gap: Gap | None) -> messages.GapInfo | UnsetType:
    return UNSET if gap is None else messages.GapInfo(gap.from_sample, gap.to_sample)
