"""`/ws/verify`: the older dialect, kept for clients that know no other. Only translates.

Binary frames of PCM16 in; `partial_result{transcribed, status}` out, at most one per
`WS_PARTIAL_RESULT_INTERVAL`; after `end` the report of `POST /verify` as `final_result`. It runs on
the same session core as `/ws/recite`, with windows that advance by `WS_BUFFER_THRESHOLD` bytes; it
has no acks and no resume.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.connection.dialect import Command, Frame, Input
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.query import Query
from gateway.dialects.recite.dialect import ReciteDialect, read_model, read_plan, session_request
from gateway.dialects.stated_rate import check_stated_rates
from gateway.interpreters.recitation.interpreter import WordStates
from gateway.session.events import AudioSafe, Event, Heard, Notice, Opened
from gateway.session.options import SessionOptions
from gateway.settings import GatewaySettings
from gateway.transport.websocket_endpoint import serve_websocket
from shared.audio.formats import SAMPLE_RATE
from shared.clock import Clock

PATH = "/ws/verify"
_BYTES_PER_SECOND = SAMPLE_RATE * 2
_QUERY = ("surah", "ayah", "to")
"""What this dialect takes from its address; it has no resume."""


class PartialVerdict(msgspec.Struct, frozen=True, tag="partial_result"):
    """What was heard so far. `status`: `listening`, then `processing` once `end` was received."""

    transcribed: str
    status: Literal["listening", "processing"]


class VerifyDialect:
    """One connection's translator: paces the partial results, leaves the rest to `ReciteDialect`."""

    name = "verify"
    binary_is_audio = True

    def __init__(self, clock: Clock, interval_s: float) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._told_s = float("-inf")
        self._ended = False
        self._recite = ReciteDialect()

    def read(self, frame: Frame) -> Sequence[Input]:
        inputs = self._recite.read(frame)
        self._ended = self._ended or Command.END in inputs
        return inputs

    def write(self, event: Event) -> Sequence[Frame]:
        if isinstance(event, Heard):
            return self._partial(event)
        if isinstance(event, Opened | AudioSafe | Notice):
            return ()
        return self._recite.write(event)

    def _partial(self, event: Heard) -> Sequence[Frame]:
        now_s = self._clock.monotonic()
        if now_s - self._told_s < self._interval_s:
            return ()
        self._told_s = now_s
        assert isinstance(event.finding, WordStates)
        transcript = event.finding.feedback.transcript
        verdict = PartialVerdict(transcript, "processing" if self._ended else "listening")
        return (msgspec.json.encode(verdict).decode(),)


def routes(ports: GatewayPorts) -> list[WebSocketRoute]:
    """The dialect's one route."""

    async def verify(websocket: WebSocket) -> None:
        dialect = VerifyDialect(ports.clock, ports.settings.partial_interval_s)

        def request(query: Query, tenant: str) -> SessionRequest:
            seconds = window_s(ports.settings)
            check_stated_rates(query)
            known = {name: query[name] for name in _QUERY if name in query} | {"window": str(seconds)}
            plan = read_plan(ports, known, (seconds, seconds))
            options = SessionOptions(model=read_model(ports, query))
            asked = session_request(dialect.name, plan, known, tenant, options)
            return msgspec.structs.replace(asked, resumable=False)

        await serve_websocket(ports, websocket, dialect, request)

    return [WebSocketRoute(PATH, verify)]


def window_s(settings: GatewaySettings) -> float:
    """Window length, seconds, at which a partial decode comes every `WS_BUFFER_THRESHOLD` bytes."""
    wanted_s = settings.buffer_threshold / _BYTES_PER_SECOND + settings.overlap_s
    return min(max(wanted_s, settings.window_min_s), settings.window_max_s)
