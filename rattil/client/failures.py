"""Why a connection could not be made, in the words of a person."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from websockets.exceptions import InvalidHandshake

REFUSED: Final = "connection refused"
NO_SUCH_HOST: Final = "no such host"
NO_ANSWER: Final = "no answer in time"


def plainly(error: OSError | InvalidHandshake) -> str:
    """What a person needs to know of a failed connection."""
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return REFUSED
    if isinstance(error, socket.gaierror):
        return NO_SUCH_HOST
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    return f"{type(error).__name__}: {error}"


def shown(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
