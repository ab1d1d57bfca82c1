"""What dialects read from the query of an address: numbers, flags, session ids; each with its sentence."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import BadRequest
from shared.ids import SessionId, is_session_id, new_session_id

MAX_NUMBER = 10**12
"""Bound of client-supplied seq and offset; 10^12 samples are two years of audio."""

Query = Mapping[str, str]

_YES = frozenset({"true", "1", "yes", "on"})
_NO = frozenset({"false", "0", "no", "off"})


def session_id(query: Query) -> SessionId:
    """The session that is asked for, or a new one. Raises `BadRequest`."""
    given = query.get("session_id", "")
    if not given:
        return new_session_id()
    if not is_session_id(given):
        raise BadRequest("session_id must be 8 to 64 letters, digits, - or _, as `ready` gave it")
    return SessionId(given)


def names_session(query: Query) -> bool:
    """Whether the client names a session, which may hold a lease already."""
    return bool(query.get("session_id"))


def number(query: Query, name: str, least: int = 0, most: int = MAX_NUMBER) -> int | None:
    """A whole number from `least` to `most`, None if it is absent. Raises `BadRequest`."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        value = int(text) if text.isascii() else None
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        bounds = f"from {least}" if most == MAX_NUMBER else f"from {least} to {most}"
        raise BadRequest(f"{name} must be a whole number {bounds}, not {text[:20]!r}")
    return value


def flag(query: Query, name: str, default: bool) -> bool:
    """`true` or `false`. Raises `BadRequest` for anything else."""
    text = query.get(name, "").lower()
    if not text:
        return default
    if text not in _YES | _NO:
        raise BadRequest(f"{name} must be true or false, not {text[:20]!r}")
    return text in _YES
