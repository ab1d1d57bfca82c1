"""When the audio of a connection came in: from a sample of the session to the moment it was said."""

from __future__ import annotations

from array import array

from shared.audio.formats import SAMPLE_RATE

_GRAIN = SAMPLE_RATE // 20
"""One time is kept for each 50 ms of audio; between two of them it passes as audio does."""
_KEPT = 30 * SAMPLE_RATE // _GRAIN
"""So many of them, the last 30 s: no window is longer. 4.8 kB for each connection."""


class ArrivalTimes:
    """Of a client that sends frames as they are full, a frame's last sample was said when it came, and the
    others before it. Of one that sends faster nothing was said before the frame before it came."""

    def __init__(self, first_sample: int, now_s: float) -> None:
        """`first_sample`: the first one that comes in over this connection."""
        self._first = first_sample
        self._received = first_sample
        self._last_s = now_s
        self._times_s = array("d", bytes(8 * _KEPT))

    def note(self, received: int, now_s: float) -> None:
        """A frame came: `received` samples of the session are here now."""
        times_s, earliest_s = self._times_s, self._last_s
        newest = received // _GRAIN
        for block in range(max(self._received // _GRAIN, newest - _KEPT) + 1, newest + 1):
            said_s = now_s - (received - block * _GRAIN) / SAMPLE_RATE
            times_s[block % _KEPT] = said_s if said_s > earliest_s else earliest_s
        self._received = received
        self._last_s = now_s

    def said_s(self, sample: int) -> float | None:
        """When this sample was said, on the clock of `note`; None if that is not known (any more)."""
        block = -(-sample // _GRAIN)
        newest = self._received // _GRAIN
        if sample < self._first or block <= newest - _KEPT:
            return None
        if block > newest:
            return self._last_s if sample <= self._received else None
        if block * _GRAIN <= self._first:
            return None
        return self._times_s[block % _KEPT] - (block * _GRAIN - sample) / SAMPLE_RATE
