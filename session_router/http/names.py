"""The names that a request to the router may carry, checked before they reach Redis or a metric."""

from __future__ import annotations

import re

from shared.errors import BadRequest
from shared.ids import PoolName, is_session_id

_NAME = re.compile(r"[A-Za-z0-9_.-]{0,64}")


def check_session_id(text: str) -> None:
    """Raises `BadRequest` unless `text` has the shape of a session id."""
    if not is_session_id(text):
        raise BadRequest("a session id is 8 to 64 letters, digits, '_' or '-'")


def check_name(text: str, what: str) -> None:
    """A tenant's, or protocol's name, which may be empty. Raises `BadRequest` for a bad one."""
    if _NAME.fullmatch(text) is None:
        raise BadRequest(f"a {what} is at most 64 letters, digits, '_', '.' or '-'")


def check_holder(text: str) -> None:
    """Raises `BadRequest` for no holder or a bad one."""
    check_name(text, "holder")
    if not text:
        raise BadRequest("the holder is empty; name the connection that holds the lease or asks for it")


def check_pool(text: str) -> PoolName:
    """Raises `BadRequest` for an empty or a bad name."""
    check_name(text, "pool name")
    if not text:
        raise BadRequest("the pool's name is empty; leave it out for the default pool")
    return PoolName(text)
