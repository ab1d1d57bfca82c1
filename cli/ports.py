"""Free TCP ports for what a launcher starts.

Not by asking the system for any port: those come from the range of outgoing connections, where a client
that retries a port nobody listens on may connect to itself and then hold the port against its server.
"""

from __future__ import annotations

import random
import socket

RANGE = range(15_000, 32_000)
"""Below the outgoing ports of Linux (from 32,768), above what services usually have."""

_TRIES = 200
_given: set[int] = set()
"""Ports this process has handed out: none is given twice before its service has bound it."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment. Raises `OSError` if none can be found."""
    for _ in range(_TRIES):
        port = random.choice(RANGE)
        if port not in _given and is_free(host, port):
            if len(_given) > len(RANGE) // 2:
                _given.clear()
            _given.add(port)
            return port
    raise OSError(f"no free port found between {RANGE.start} and {RANGE.stop} on {host}")


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on it at this moment."""
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
