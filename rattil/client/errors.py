"""How a client's session can fail for good."""

from __future__ import annotations


class ClientError(Exception):
    """Any of the below."""


class Refused(ClientError):
    """The server ended the session for good: trying again would not help."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason or f"closed with code {code}")
        self.code = code
        self.reason = reason


class GaveUp(ClientError):
    """No server could be reached, or none stayed, for too many attempts in a row."""


class UnreadableEvent(ClientError):
    """The peer does not speak this dialect."""
