"""Raw TCP on `STREAM_PORT`: PCM16 mono 16 kHz in; a line for all words that now stand out. Only translates.

The wire is that of whisper_streaming's server, so its client (`arecord … | nc host 43007`) works unchanged.
Lines that begin with `#` are what went wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.connection.dialect import Command, Frame, Input
from gateway.connection.serve import serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.interpreters.transcription.interpreter import UtteranceHeard
from gateway.interpreters.transcription.plan import TranscriptionPlan
from gateway.session.events import Event, FinishFailed, Heard, Notice, SegmentFailed, Trouble
from gateway.session.interpreter import Finding
from gateway.session.options import SessionOptions
from gateway.transport.tcp import END_OF_STREAM, TcpTransport
from shared.hearing import HeardWord
from shared.ids import new_session_id
from shared.service.logging import get_logger
from shared.transcription.utterances import text_of

_log = get_logger(__name__)


class CommittedLinesDialect:
    """One connection's translator: remembers which words were written already."""

    name = "committed_lines"
    binary_is_audio = True

    def __init__(self) -> None:
        self._utterance = 0
        self._written = 0
        self._last_ms = 0

    def read(self, frame: Frame) -> Sequence[Input]:
        if isinstance(frame, bytes):
            return (frame,)
        return (Command.END,) if frame == END_OF_STREAM else ()

    def write(self, event: Event) -> Sequence[Frame]:
        if isinstance(event, Heard):
            return self._lines(event.finding)
        if isinstance(event, SegmentFailed):
            failed = _comment(event.code or event.outcome, event.message)
            return (failed, *(self._lines(event.finding) if event.finding else ()))
        if isinstance(event, Trouble | FinishFailed | Notice):
            return (_comment(event.code, event.message),)
        return ()

    def _lines(self, finding: Finding) -> Sequence[Frame]:
        assert isinstance(finding, UtteranceHeard)
        utterance = finding.utterance
        if utterance.number != self._utterance:
            self._utterance, self._written = utterance.number, 0
        fresh = utterance.words[self._written :]
        self._written = 0 if utterance.ended else len(utterance.words)
        self._utterance += utterance.ended and bool(utterance.words)
        if not fresh:
            return ()
        begin_ms, end_ms = self._extent(fresh, utterance.start_ms, utterance.end_ms)
        return (f"{begin_ms} {end_ms} {text_of(fresh)}\n".encode(),)

    def _extent(self, words: Sequence[HeardWord], start_ms: int, end_ms: int) -> tuple[int, int]:
        """Where these words were said. Lines never go back in time, whatever the model says of words."""
        begin_ms = words[0].start_ms if words[0].start_ms is not None else start_ms
        last_ms = words[-1].end_ms if words[-1].end_ms is not None else end_ms
        begin_ms = max(begin_ms, self._last_ms)
        self._last_ms = max(last_ms, begin_ms)
        return begin_ms, self._last_ms


def _comment(code: str, message: str) -> bytes:
    return f"# {code}: {message}\n".encode()


@asynccontextmanager
async def serving(ports: GatewayPorts) -> AsyncIterator[int]:
    """Serve the TCP port meanwhile, if `STREAM_ENABLED`; yields the port, 0 if it is not served."""
    settings = ports.settings
    if not settings.stream_enabled:
        yield 0
        return
    clients: set[asyncio.Task[None]] = set()

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        clients.add(task)
        try:
            await _serve(ports, reader, writer)
        finally:
            clients.discard(task)
            writer.close()

    server = await asyncio.start_server(on_client, settings.host, settings.stream_port)
    port = int(server.sockets[0].getsockname()[1])
    _log.info("listening_for_committed_lines", host=settings.host, port=port)
    try:
        yield port
    finally:
        server.close()
        for task in list(clients):
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def _serve(ports: GatewayPorts, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("peername")
    options = SessionOptions(language=ports.settings.stream_language, word_timestamps=True)
    request = SessionRequest(
        protocol=CommittedLinesDialect.name,
        plan=TranscriptionPlan(ports, options),
        session_id=new_session_id(),
        named=False,
        options=options,
    )
    address = str(peer[0]) if peer else ""
    try:
        await serve_session(ports, TcpTransport(reader, writer), CommittedLinesDialect(), request, address)
    except Exception:
        _log.exception("stream_client_failed")
