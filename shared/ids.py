"""Typed identifiers: a session id is not a connection id, and the type checker knows it."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import NewType

SessionId = NewType("SessionId", str)
ConnectionId = NewType("ConnectionId", str)
WorkerId = NewType("WorkerId", str)
Epoch = NewType("Epoch", str)
TraceId = NewType("TraceId", str)
PoolName = NewType("PoolName", str)

SESSION_ID_PATTERN = "^[A-Za-z0-9_-]{8,64}$"
_CLIENT_SUPPLIED = re.compile(SESSION_ID_PATTERN)


def new_session_id() -> SessionId:
    """96 random bits: unguessable, since whoever knows a session id may resume the session."""
    return SessionId(secrets.token_urlsafe(12))


def short_id(session_id: str) -> str:
    """What stands for a session wherever people read: logs, listings, error texts, metrics, job ids.

    Whoever knows a whole session id may resume the session. These are the first ten digits of its
    SHA-256: the same everywhere, so that the lines about one session can be found, and no way back.
    """
    return hashlib.sha256(session_id.encode()).hexdigest()[:10]


def new_connection_id() -> ConnectionId:
    return ConnectionId(secrets.token_hex(8))


def new_epoch() -> Epoch:
    return Epoch(secrets.token_hex(4))


def new_trace_id() -> TraceId:
    return TraceId(secrets.token_hex(8))


def is_session_id(text: str) -> bool:
    """Whether a client-supplied session id has the only shape that becomes part of a Redis key."""
    return _CLIENT_SUPPLIED.fullmatch(text) is not None
