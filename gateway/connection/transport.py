"""The client's side of a connection, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End

Take = Callable[[Frame], bool]
"""Takes one frame; says whether it may be given the next one."""


class PeerGone(Exception):
    """The client's side is closed."""


class Transport(Protocol):
    """Frames in and out, text and binary. `pour` and `send` raise `PeerGone`."""

    async def pour(self, take: Take) -> None:
        """Give `take` every frame as it comes, in order, until it returns False. Raises what it raises."""
        ...

    async def send(self, frame: Frame) -> None: ...

    def send_now(self, frame: Frame) -> bool:
        """Send if that needs no waiting; False: it was not sent, `send` must be asked."""
        ...

    async def end(self, end: End) -> None:
        """Close it in the transport's own words for this reason."""
        ...

    def abort(self, after_s: float) -> None:
        """Drop the connection then, if it still stands: a client may never answer a close."""
        ...
