"""Which Redis errors mean "the bus is away": one table, one context manager."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

from shared.errors import BusUnavailable

_AWAY: tuple[type[BaseException], ...] = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.InvalidResponse,
    OSError,
    TimeoutError,
)

_REFUSALS: dict[str, str] = {
    "OOM ": "Redis is at its memory limit",
    "MISCONF": "Redis cannot write to its disk",
    "READONLY": "this Redis is a replica; a failover is under way",
    "LOADING": "Redis is loading its data",
    "NOREPLICAS": "Redis has too few replicas to accept writes",
    "MASTERDOWN": "the replica has lost its primary",
    "BUSY ": "Redis is running a long script",
    "CLUSTERDOWN": "the Redis cluster is down",
    "max number of clients": "Redis has no free client slots",
}
"""Marks in error replies (inside a script's error they are not at its start) that time can cure."""


_WRITE_AFTER_END = ("the handler is closed", "'NoneType' object has no attribute 'write")
"""What uvloop (RuntimeError) and redis-py (AttributeError) say to a write on a connection that is gone."""


@contextmanager
def redis_errors(doing: str) -> Iterator[None]:
    """Turn everything that means "not now" into `BusUnavailable`; programming errors pass unchanged."""
    try:
        yield
    except _AWAY as error:
        raise BusUnavailable(
            f"Redis is not reachable while {doing}: {error or type(error).__name__}"
        ) from error
    except (RuntimeError, AttributeError) as error:
        if not write_after_end(error):
            raise
        raise BusUnavailable(f"Redis is not reachable while {doing}: the connection has ended") from error
    except exceptions.ResponseError as error:
        reason = refusal(error)
        if reason is None:
            raise
        raise BusUnavailable(f"Redis refused {doing}: {reason}") from error


def write_after_end(error: Exception) -> bool:
    """Whether the connection ended just before this write: no bug, though it looks like one."""
    return any(mark in str(error) for mark in _WRITE_AFTER_END)


def refusal(error: exceptions.ResponseError) -> str | None:
    """Why Redis refuses for now, None if the command itself was wrong."""
    if isinstance(error, exceptions.OutOfMemoryError):  # redis-py has cut the mark off
        return _REFUSALS["OOM "]
    if isinstance(error, exceptions.ReadOnlyError):
        return _REFUSALS["READONLY"]
    text = str(error)
    return next((why for mark, why in _REFUSALS.items() if mark in text), None)
