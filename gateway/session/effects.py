"""What the session core asks its driver to do, in this order."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.session.events import Event
from gateway.session.segmenter import Window


@dataclass(frozen=True, slots=True)
class Store:
    """Store the window's audio and the session's state, and queue the segment if it has a seq.

    The driver calls `SessionCore.stored(window)` once that is done.
    """

    window: Window


@dataclass(frozen=True, slots=True)
class Emit:
    """Show an event to the client."""

    event: Event


@dataclass(frozen=True, slots=True)
class Finish:
    """All audio is in and every segment is answered: make the final report."""


Effect = Store | Emit | Finish
