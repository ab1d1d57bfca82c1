"""WhisperLive's protocol as docs/clients/whisperlive.md describes it. Only translates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.connection.dialect import Command, Frame, Input
from gateway.connection.end_reason import EndReason
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import Transport
from gateway.dependencies import GatewayPorts
from gateway.dialects.query import Query
from gateway.dialects.recite.commands import BadMessage
from gateway.dialects.whisperlive import messages
from gateway.dialects.whisperlive.messages import Options
from gateway.dialects.whisperlive.options import decode_options, session_options
from gateway.dialects.whisperlive.pauses import FLUSH, FlushInPauses
from gateway.dialects.whisperlive.segments import SegmentsTold
from gateway.interpreters.transcription.plan import TranscriptionPlan
from gateway.session.events import Event, FinishFailed, Heard, Notice, Opened, SegmentFailed, Trouble
from gateway.transport.websocket_endpoint import Checked, SocketRules, serve_websocket
from shared.errors import BadRequest, RattilError, Unauthorised
from shared.ids import new_session_id
from shared.protocol.close_codes import Close

PATH = "/ws/whisperlive"
END = b"END_OF_AUDIO"
PAUSE_S = 2.0
"""After so long without audio all that has come is told, as if speech had ended."""
BACKEND = "faster_whisper"
"""Clients keep completed segments of this backend only."""

_GOES_ON = frozenset({"server_busy", "audio_too_fast", "state_lost", "bad_message"})
_AGAIN = Close(1011, "the service failed; connect again")

CLOSES: Mapping[EndReason, Close] = {
    EndReason.DONE: Close(1000, "done"),
    EndReason.BAD_REQUEST: Close(1008, "the client sent what cannot be served"),
    EndReason.FRAME_TOO_BIG: Close(1009, "a message is too big"),
    EndReason.DRAINING: Close(1012, "this gateway is going away; connect again"),
    EndReason.SLOW_CONSUMER: Close(1011, "messages were not read in time; connect again"),
    EndReason.IDLE: Close(1011, "no audio for too long; connect again"),
    EndReason.UNRESPONSIVE: Close(1011, "no answer to pings; connect again"),
    EndReason.STATE_LOST: _AGAIN,
    EndReason.BUS_AWAY: _AGAIN,
    EndReason.NO_CAPACITY: Close(1013, "no capacity: try again later"),
    EndReason.INTERNAL: _AGAIN,
    EndReason.SUPERSEDED: Close(1008, "another connection took this session"),
    EndReason.UNAUTHORISED: Close(1008, "unauthorised"),
    EndReason.LAGGING: Close(1013, "results are too far behind; connect again"),
    EndReason.OVERLOADED: Close(1013, "results come too late now: try again later"),
    EndReason.TOO_LONG: Close(1000, "the session is as long as it may be"),
}


class WhisperLiveDialect:
    """One connection's translator."""

    name = "whisperlive"
    binary_is_audio = False
    """One binary message is the end."""

    def __init__(self) -> None:
        self._options = Options()
        self._segments = SegmentsTold(self._options)

    def transcribes(self, options: Options) -> None:
        """What the client asked for; to be called before the session opens."""
        self._options = options
        self._segments = SegmentsTold(options)

    def read(self, frame: Frame) -> Sequence[Input]:
        if frame in (END, END.decode()):
            return (Command.END,)
        if frame is FLUSH:
            return (Command.FLUSH,)
        if isinstance(frame, bytes):
            return (frame,)
        raise BadMessage("after the options only audio is understood, in binary messages, and END_OF_AUDIO")

    def write(self, event: Event) -> Sequence[Frame]:
        return [messages.encode(message) for message in self._messages(event)]

    def _messages(self, event: Event) -> Sequence[messages.ServerMessage]:
        if isinstance(event, Heard):
            return self._segments.of(event.finding)
        if isinstance(event, SegmentFailed):
            return (self._told("WARNING", event.message), *self._segments.of(event.finding))
        if isinstance(event, Opened):
            return (messages.Told(self._options.uid, "SERVER_READY", backend=BACKEND),)
        if isinstance(event, Trouble):
            return (self._trouble(event),)
        if isinstance(event, Notice | FinishFailed):
            return (self._told("WARNING", event.message),)
        return ()

    def _trouble(self, event: Trouble) -> messages.Told:
        if event.retry_after_s is not None:
            return self._told("WAIT", round(event.retry_after_s / 60, 3))
        if event.code == "session_too_long":
            return messages.Told(self._options.uid, "DISCONNECT")
        return self._told("WARNING" if event.code in _GOES_ON else "ERROR", event.message)

    def _told(self, status: str, message: str | float) -> messages.Told:
        return messages.Told(self._options.uid, message, status=status)


def routes(ports: GatewayPorts, path: str = PATH) -> list[WebSocketRoute]:
    """The dialect's one route, at this path."""

    async def whisperlive(websocket: WebSocket) -> None:
        await _serve(ports, websocket)

    return [WebSocketRoute(path, whisperlive)]


async def _serve(ports: GatewayPorts, websocket: WebSocket) -> None:
    dialect = WhisperLiveDialect()
    options = Options()

    async def ask(transport: Transport) -> None:
        nonlocal options
        options = decode_options(
            await _first_frame(transport, ports.settings.first_audio_s), ports.settings.max_text_bytes
        )
        dialect.transcribes(options)

    def request(_query: Query, tenant: str) -> SessionRequest:
        session = session_options(options, ports.settings)
        return SessionRequest(
            protocol=dialect.name,
            plan=TranscriptionPlan(ports, session),
            session_id=new_session_id(),
            tenant=tenant,
            named=False,
            resumable=False,
            options=session,
        )

    def wrap(inner: Transport) -> Transport:
        return FlushInPauses(inner, PAUSE_S, _is_audio)

    rules = SocketRules(CLOSES, _denial, first=Checked.KEY, ask=ask, wrap=wrap)
    await serve_websocket(ports, websocket, dialect, request, rules)


def _is_audio(frame: Frame) -> bool:
    return isinstance(frame, bytes) and frame != END


async def _first_frame(transport: Transport, within_s: float) -> Frame:
    """Raises `BadRequest` if none comes in time, `PeerGone`."""
    frames: list[Frame] = []

    def take(frame: Frame) -> bool:
        frames.append(frame)
        return False

    try:
        async with asyncio.timeout(within_s):
            await transport.pour(take)
    except TimeoutError as error:
        raise BadRequest(f"no options came within {within_s:g} s") from error
    return frames[0]


def _denial(error: RattilError) -> Response:
    status = 401 if isinstance(error, Unauthorised) else 503
    return JSONResponse({"status": "ERROR", "message": error.for_client}, status)
