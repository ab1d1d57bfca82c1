"""Raw TCP on `STREAM_PORT`: PCM16 mono 16 kHz in; a line for all words that now stand out. Only translates.

The wire is that of whisper_streaming's server, so its client (`arecord … | nc host 43007`) works unchanged.
Lines that begin with `#` are what went wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.connection.dialect import Command, Frame, Input
from gateway.connection.end_reason import EndReason
from gateway.connection.serve import serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.committed_lines.lines import CommittedLines, Fault, Line
from gateway.interpreters.transcription.plan import TranscriptionPlan
from gateway.session.events import Event
from gateway.session.options import SessionOptions
from gateway.transport.tcp import END_OF_STREAM, TcpTransport
from shared.ids import new_session_id
from shared.service.logging import get_logger

_log = get_logger(__name__)


class CommittedLinesDialect:
    """One connection's translator."""

    name = "committed_lines"
    binary_is_audio = True

    def __init__(self) -> None:
        self._lines = CommittedLines()

    def read(self, frame: Frame) -> Sequence[Input]:
        if isinstance(frame, bytes):
            return (frame,)
        return (Command.END,) if frame == END_OF_STREAM else ()

    def write(self, event: Event) -> Sequence[Frame]:
        return [_written(said) for said in self._lines.of(event)]


def _written(said: Line | Fault) -> bytes:
    if isinstance(said, Fault):
        return _comment(*said)
    return f"{said.begin_ms} {said.end_ms} {said.text}\n".encode()


def _comment(code: str, message: str) -> bytes:
    return f"# {code}: {message}\n".encode()


LAST_LINES = {
    EndReason.DRAINING: _comment("draining", "this gateway is going away; connect again"),
    EndReason.SUPERSEDED: _comment("superseded", "another connection took this session"),
}
"""Ends that no event tells."""


def stream_request(ports: GatewayPorts, protocol: str, tenant: str = "") -> SessionRequest:
    """A session of the committed lines, whatever carries them."""
    options = SessionOptions(language=ports.settings.stream_language, word_timestamps=True)
    return SessionRequest(
        protocol=protocol,
        plan=TranscriptionPlan(ports, options),
        session_id=new_session_id(),
        tenant=tenant,
        named=False,
        resumable=False,
        options=options,
    )


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
    dialect = CommittedLinesDialect()
    request = stream_request(ports, dialect.name)
    transport = TcpTransport(reader, writer, LAST_LINES)
    await serve_session(ports, transport, dialect, request, str(peer[0]) if peer else "")
