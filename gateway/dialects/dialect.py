"""The seam between connections and wire formats: a dialect only translates."""

from __future__ import annotations

from typing import Protocol

from gateway.dialects.recite.commands import Command
from gateway.session.events import Event


class Dialect(Protocol):
    """One wire format. Binary frames are always PCM16 mono 16 kHz."""

    @property
    def name(self) -> str: ...

    def read(self, text: str) -> Command:
        """Understand a text frame. Raises `BadRequest`."""
        ...

    def write(self, event: Event) -> str | None:
        """The frame for an event; None if this dialect does not show it."""
        ...
