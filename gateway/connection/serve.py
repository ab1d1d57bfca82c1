"""From an accepted socket to its close: a place, a lease, a session, and all of them given back."""

from __future__ import annotations

from contextlib import AsyncExitStack

from gateway.connection.connection import Connection
from gateway.connection.dialect import Dialect
from gateway.connection.end_reason import End, EndConnection, EndReason, end_for
from gateway.connection.result_inbox import ResultInbox
from gateway.connection.resume import Opening, SessionOpener
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import PeerGone, Transport
from gateway.dependencies import GatewayPorts
from shared.errors import BusUnavailable, NoCapacity, RattilError, RouterUnavailable
from shared.ids import ConnectionId, PoolName, new_connection_id
from shared.protocol.workers import AdmitRequest
from shared.service.logging import get_logger

_log = get_logger(__name__)


async def serve_session(
    ports: GatewayPorts, transport: Transport, dialect: Dialect, request: SessionRequest
) -> None:
    """Serve one connection to its end; the socket is closed afterwards."""
    connection_id = new_connection_id()
    ports.metrics.connections.labels(dialect.name).inc()
    try:
        end = await _serve(ports, transport, dialect, request, connection_id)
    except RattilError as error:
        end = await refuse(ports, transport, dialect, error)
    finally:
        ports.metrics.connections.labels(dialect.name).dec()
    ports.metrics.closes.labels(end.reason.value if end else "left").inc()
    _log.info(
        "connection_ended",
        session_id=request.session_id,
        connection_id=connection_id,
        end=end.reason.value if end else "left",
    )


async def refuse(ports: GatewayPorts, transport: Transport, dialect: Dialect, error: RattilError) -> End:
    """Tell the client why, as an event and by the end."""
    ports.metrics.bad_messages.labels(error.code).inc()
    if isinstance(error, NoCapacity):
        ports.metrics.refusals.labels(error.code).inc()
    ending: EndConnection = end_for(error)
    try:
        for frame in dialect.write(ending.trouble) if ending.trouble else ():
            await transport.send(frame)
        await transport.end(ending.end)
    except PeerGone:
        pass
    return ending.end


async def _serve(
    ports: GatewayPorts,
    transport: Transport,
    dialect: Dialect,
    request: SessionRequest,
    connection_id: ConnectionId,
) -> End | None:
    inbox = ResultInbox(connection_id)
    async with AsyncExitStack() as stack:
        stack.enter_context(ports.connections.place())
        pool = await _admit(ports, request, connection_id)
        stack.push_async_callback(ports.leases.release, request.session_id, connection_id)
        await ports.feed.subscribe(request.session_id, connection_id, inbox)
        stack.push_async_callback(_unsubscribe, ports, request, connection_id)
        opening: Opening = await SessionOpener(ports, request, connection_id).open(pool)
        connection = Connection(ports, transport, dialect, request.plan, opening, inbox)
        stack.enter_context(ports.connections.live(connection_id, connection))
        end = await connection.run()
        if end is not None and end.reason is EndReason.SUPERSEDED:
            ports.leases.forget(request.session_id, connection_id)
        return end


async def _admit(ports: GatewayPorts, request: SessionRequest, connection_id: ConnectionId) -> PoolName:
    """The pool to push to. A session that claims to be live already may go on while routers are away."""
    asked = AdmitRequest(
        session_id=request.session_id,
        pool=PoolName(request.options.model or ports.settings.asr_pool),
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
