"""What never changes while one connection drives a session."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.session.options import DEFAULT_OPTIONS, SessionOptions
from shared.ids import ConnectionId, PoolName, SessionId


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """What never changes while one connection drives a session. `subject`: what it is about, in the words
    of its dialect; a resume must name the same."""

    session_id: SessionId
    connection_id: ConnectionId
    protocol: str
    subject: str
    pool: PoolName
    tenant: str
    created_ms: int
    options: SessionOptions = DEFAULT_OPTIONS
