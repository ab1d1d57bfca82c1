"""From an accepted socket to its close: a place, a lease, a session, and all of them given back."""

from __future__ import annotations

import asyncio
import random
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext

from gateway.admission.circuits import bus_away
from gateway.admission.slot import Slot
from gateway.connection.connection import Connection
from gateway.connection.dialect import Dialect
from gateway.connection.end_reason import End, EndConnection, EndReason, end_for
from gateway.connection.result_inbox import ResultInbox
from gateway.connection.resume import NOTHING_STORED, Opening, SessionOpener, Stored
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import PeerGone, Transport
from gateway.dependencies import GatewayPorts
from shared.errors import BadRequest, BusUnavailable, LeaseHeld, NoCapacity, RattilError, Unauthorised
from shared.ids import ConnectionId, PoolName, new_connection_id
from shared.protocol.workers import AdmitRequest
from shared.service.logging import get_logger

_OPENING_PAUSES_S = (0.1, 0.3, 0.9)
"""Pauses while another connection holds the lease of a session that is not stored yet: it is opening it."""

_OUR_FAULT = "something went wrong here; connect again"

_log = get_logger(__name__)


class SessionBusy(NoCapacity):
    """Another connection holds this session's lease, and nothing is stored yet that could be taken over."""

    code = "session_busy"


async def serve_session(
    ports: GatewayPorts, transport: Transport, dialect: Dialect, request: SessionRequest, address: str = ""
) -> None:
    """Serve one connection to its end; the socket is closed afterwards. `address`: of the client."""
    connection_id = new_connection_id()
    _log.info(
        "connection_started",
        connection_id=connection_id,
        protocol=dialect.name,
        tenant=request.tenant,
        address=address,
        resumes=request.claims_progress,
    )
    ports.metrics.connections.labels(dialect.name).inc()
    try:
        end = await _serve(ports, transport, dialect, request, connection_id, address)
    except RattilError as error:
        end = await refuse(ports, transport, dialect, error)
    except Exception:
        _log.exception("session_failed", connection_id=connection_id)
        end = await refuse(ports, transport, dialect, RattilError(_OUR_FAULT))
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
    count_refusal(ports, error)
    ending: EndConnection = end_for(error)
    try:
        for frame in dialect.write(ending.trouble) if ending.trouble else ():
            await transport.send(frame)
        await transport.end(ending.end)
    except PeerGone:
        pass
    return ending.end


def count_refusal(ports: GatewayPorts, error: RattilError) -> None:
    """In the metrics; who may not come in is counted where that is found."""
    if isinstance(error, BadRequest):
        ports.metrics.bad_messages.labels(error.code).inc()
    elif not isinstance(error, Unauthorised):
        ports.metrics.refusals.labels(error.code).inc()


async def _serve(
    ports: GatewayPorts,
    transport: Transport,
    dialect: Dialect,
    request: SessionRequest,
    connection_id: ConnectionId,
    address: str,
) -> End | None:
    inbox = ResultInbox(connection_id)
    opener = SessionOpener(ports, request, connection_id)
    slot = _slot(ports, request, connection_id)
    async with AsyncExitStack() as stack:
        stack.enter_context(
            ports.connections.place(request.session_id, request.tenant, address, request.protocol)
        )
        stack.push_async_callback(slot.give_back)
        with _bus_guard(ports, request):
            if request.named:
                # First who owns the session, then its slot: a resume that is refused must not touch it.
                await _subscribe(ports, request, connection_id, inbox, stack)
                stored, pool = await _go_on(ports, request, opener, slot)
            else:
                ports.expect_storage()
                # Asked again: of many who came at once, the first has its answer by now.
                ports.leases.expect_room(_pool(ports, request))
                if request.rules.lag is not None and request.rules.lag.longest_s is not None:
                    ports.connections.expect_in_time(_pool(ports, request), request.rules.lag.longest_s)
                stored, pool = NOTHING_STORED, await slot.take(_pool(ports, request), owner=False)
                await _subscribe(ports, request, connection_id, inbox, stack)
            opening: Opening = await opener.open(pool, stored)
        connection = Connection(ports, transport, dialect, request, opening, inbox)
        stack.enter_context(ports.connections.live(connection_id, connection))
        end = await connection.run()
        if end is not None and end.reason is EndReason.SUPERSEDED:
            slot.forget()
        may_come_back = end is None or end.reason.may_come_back
        slot.keep(may_come_back and request.resumable and connection.may_go_on)
        return end


def _bus_guard(ports: GatewayPorts, request: SessionRequest) -> AbstractContextManager[None]:
    """New sessions do not wait for a Redis that is known to be away; one that lives tries all the same."""
    if request.claims_progress:
        return nullcontext()
    return ports.circuits.bus(request.session_id).guard(bus_away, (BusUnavailable,))


def _slot(ports: GatewayPorts, request: SessionRequest, connection_id: ConnectionId) -> Slot:
    asked = AdmitRequest(
        session_id=request.session_id,
        holder=connection_id,
        pool=_pool(ports, request),
        tenant=request.tenant,
        protocol=request.protocol,
    )
    return Slot(ports.leases, asked, ports.settings.lease_grace_s)


def _pool(ports: GatewayPorts, request: SessionRequest) -> PoolName:
    """Where a new session's segments go, if there is room."""
    return PoolName(request.options.model) if request.options.model else ports.models.default


async def _go_on(
    ports: GatewayPorts, request: SessionRequest, opener: SessionOpener, slot: Slot
) -> tuple[Stored, PoolName]:
    """What is stored under the id that the client names, and the pool to push to.

    Raises `SessionBusy` while another connection is just opening the same one.
    """
    for pause_s in (*_OPENING_PAUSES_S, None):
        stored = await opener.take_over()
        pool = _pool(ports, request) if stored.record is None else stored.record.pool
        try:
            pool = await slot.take(pool, owner=stored.exists, may_be_live=request.claims_progress)
        except LeaseHeld:
            if pause_s is None:
                break
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
        else:
            return stored, pool
    raise SessionBusy("another connection is opening this session just now; try again shortly", 2.0)


async def _subscribe(
    ports: GatewayPorts,
    request: SessionRequest,
    connection_id: ConnectionId,
    inbox: ResultInbox,
    stack: AsyncExitStack,
) -> None:
    await ports.feed.subscribe(request.session_id, connection_id, inbox)
    stack.push_async_callback(_unsubscribe, ports, request, connection_id)


async def _unsubscribe(ports: GatewayPorts, request: SessionRequest, connection_id: ConnectionId) -> None:
    try:
        await ports.feed.unsubscribe(request.session_id, connection_id)
    except BusUnavailable as error:
        _log.info("not_unsubscribed", connection_id=connection_id, error=error.message)
