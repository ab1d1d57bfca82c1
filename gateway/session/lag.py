"""Lag: how much audio has arrived since the oldest window without an answer was complete. Pure.

Samples measure it, not a clock: at the pace of life the two are the same, and a session that is restored
needs no time of another machine. A window that may not be cut yet, because too many are in flight, is
late from the moment at which it was complete.
"""

from __future__ import annotations


class Lag:
    """Counts for one session; positions are samples of received audio."""

    def __init__(self) -> None:
        self._complete_at: dict[int, int] = {}
        self._held_since: int | None = None

    def hold(self, received: int) -> None:
        """A complete window waits: it may not be cut yet."""
        if self._held_since is None:
            self._held_since = received

    def cut(self, seq: int | None, received: int) -> None:
        """A window was cut; `seq` None: it has only silence, nothing is asked."""
        since = received if self._held_since is None else self._held_since
        self._held_since = None
        if seq is not None:
            self._complete_at[seq] = since

    def answered(self, seq: int) -> None:
        """The window has its result, or will never have one."""
        self._complete_at.pop(seq, None)

    def samples(self, received: int) -> int:
        """0 while nothing waits for an answer."""
        waiting = list(self._complete_at.values())
        if self._held_since is not None:
            waiting.append(self._held_since)
        return received - min(waiting) if waiting else 0
