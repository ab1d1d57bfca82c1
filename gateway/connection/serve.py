"""From an accepted socket to its close: a place, a lease, a session, and all of them given back."""

from __future__ import annotations

from contextlib import AsyncExitStack

from gateway.connection.close_reasons import EndConnection, closing_for
from gateway.connection.connection import Connection
from gateway.connection.result_inbox import ResultInbox
from gateway.connection.resume import Opening, SessionOpener, SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.dialect import Dialect
from gateway.dialects.passage_limit import check_length
from gateway.transport.websocket import PeerGone, Socket
from shared.errors import BusUnavailable, NoCapacity, RattilError, RouterUnavailable
from shared.ids import ConnectionId, PoolName, new_connection_id
from shared.protocol.close_codes import SUPERSEDED, Close
from shared.protocol.workers import AdmitRequest
from shared.service.logging import get_logger

_log = get_logger(__name__)


async def serve_session(
    ports: GatewayPorts, socket: Socket, dialect: Dialect, request: SessionRequest
) -> None:
    """Serve one connection to its end; the socket is closed afterwards."""
    connection_id = new_connection_id()
    ports.metrics.connections.labels(dialect.name).inc()
    try:
        close = await _serve(ports, socket, dialect, request, connection_id)
    except RattilError as error:
        close = await refuse(ports, socket, dialect, error)
    finally:
        ports.metrics.connections.labels(dialect.name).dec()
    ports.metrics.closes.labels(str(close.code) if close else "left").inc()
    _log.info(
        "connection_ended",
        session_id=request.session_id,
        connection_id=connection_id,
        close=close.code if close else None,
    )


async def refuse(ports: GatewayPorts, socket: Socket, dialect: Dialect, error: RattilError) -> Close:
    """Tell the client why, as an event and as a close code."""
    ports.metrics.bad_messages.labels(error.code).inc()
    if isinstance(error, NoCapacity):
        ports.metrics.refusals.labels(error.code).inc()
    closing: EndConnection = closing_for(error)
    text = dialect.write(closing.trouble) if closing.trouble else None
    try:
        if text is not None:
            await socket.send(text)
        await socket.close(closing.close)
    except PeerGone:
        return closing.close
    return closing.close


async def _serve(
    ports: GatewayPorts,
    socket: Socket,
    dialect: Dialect,
    request: SessionRequest,
    connection_id: ConnectionId,
) -> Close | None:
    check_length(request.passage.range, ports.settings.max_passage_words)
    inbox = ResultInbox(connection_id)
    async with AsyncExitStack() as stack:
        stack.enter_context(ports.connections.place())
        pool = await _admit(ports, request, connection_id)
        stack.push_async_callback(ports.leases.release, request.session_id, connection_id)
        await ports.feed.subscribe(request.session_id, connection_id, inbox)
        stack.push_async_callback(_unsubscribe, ports, request, connection_id)
        opening: Opening = await SessionOpener(ports, request, connection_id).open(pool)
        connection = Connection(ports, socket, dialect, opening, inbox)
        stack.enter_context(ports.connections.live(connection_id, connection))
        close = await connection.run()
        if close is not None and close.code == SUPERSEDED.code:
            ports.leases.forget(request.session_id, connection_id)
        return close


async def _admit(ports: GatewayPorts, request: SessionRequest, connection_id: ConnectionId) -> PoolName:
    """The pool to push to. A session that claims to be live already may go on while routers are away."""
    asked = AdmitRequest(
        session_id=request.session_id,
        pool=PoolName(ports.settings.asr_pool),
        tenant=request.tenant,
        protocol=request.protocol,
        holder=connection_id,
    )
    if not request.named:
        ports.leases.expect_room()  # again: of many who came at once, the first has had its answer by now
    try:
        return (await ports.leases.admit(asked, connection_id)).pool
    except RouterUnavailable:
        if not request.claims_progress:
            raise
        return asked.pool


async def _unsubscribe(ports: GatewayPorts, request: SessionRequest, connection_id: ConnectionId) -> None:
    try:
        await ports.feed.unsubscribe(request.session_id, connection_id)
    except BusUnavailable as error:
        _log.info("not_unsubscribed", connection_id=connection_id, error=error.message)
