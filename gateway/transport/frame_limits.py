"""What the frames of one WebSocket, and of all of a process, may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class HeldBytes:
    """What all sockets of a process hold back together, with a bound."""

    def __init__(self, most: int = 128 << 20) -> None:
        self._most = most
        self._held = 0

    def add(self, size: int) -> bool:
        """Count so many bytes more, or less; whether there is room for others."""
        self._held += size
        return self._held < self._most


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """Bounds of one WebSocket. `on_refused` hears the code of every one that is closed for them.

    `held_bytes`: messages that are read, though nobody takes them yet, before the socket is read no more: so
    long a client's pings, which come behind its audio, are answered. 1 MiB is half a minute of PCM16.
    """

    control_per_s: float = 500.0
    control_burst: float = 2_500.0
    held_bytes: int = 1 << 20
    held_by_all: HeldBytes = field(default_factory=HeldBytes)
    on_refused: Callable[[str], None] = lambda code: None
