"""What the session core asks its driver to do, in this order."""

from __future__ import annotations

import msgspec

from gateway.session.events import Event
from gateway.session.segmenter import Window


class Store(msgspec.Struct, frozen=True, gc=False):
    """Store the window's audio and the session's state, and queue the segment if it has a seq.

    The driver calls `SessionCore.stored(window)` once that is done.
    """

    window: Window


class Emit(msgspec.Struct, frozen=True, gc=False):
    """Show an event to the client."""

    event: Event


class Finish(msgspec.Struct, frozen=True, gc=False):
    """All audio is in and every segment is answered: make the final report."""


Effect = Store | Emit | Finish
