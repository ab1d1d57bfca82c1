"""When the audio of a connection came in: from a sample of the session to the moment it was said."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from shared.audio.formats import SAMPLE_RATE

_GRAIN = SAMPLE_RATE // 20
"""Times are known for each 50 ms of audio; between two of them it passes as audio does."""
_KEPT = 30 * SAMPLE_RATE // _GRAIN
"""So many of them, the last 30 s: no window is longer."""
_SPARE = 8 * SAMPLE_RATE
"""Frames are forgotten together, once those of so many samples are of no more use. With those that are, it
is 24 bytes for each frame of 38 s, at most 18 kB."""


class ArrivalTimes:
    """Of a client that sends frames as they are full, a frame's last sample was said when it came, and the
    others before it. Of one that sends faster nothing was said before the frame before it came."""

    def __init__(self, first_sample: int, now_s: float) -> None:
        """`first_sample`: the first one that comes in over this connection."""
        self._first = first_sample
        self._received = first_sample
        self._last_s = now_s
        self._next = (first_sample // _GRAIN + 1) * _GRAIN
        self._forget_at = first_sample + _KEPT * _GRAIN + _SPARE
        # Of each frame that completed a grain: where it ended, when it came, and when the one before it did.
        self._ends = array("q")
        self._came_s = array("d")
        self._before_s = array("d")

    def note(self, received: int, now_s: float) -> None:
        """A frame came: `received` samples of the session are here now."""
        if received >= self._next:
            self._next = (received // _GRAIN + 1) * _GRAIN
            self._ends.append(received)
            self._came_s.append(now_s)
            self._before_s.append(self._last_s)
            if received > self._forget_at:
                self._forget_at = received + _SPARE
                self._forget(received - _KEPT * _GRAIN)
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
        grain = block * _GRAIN
        if grain <= self._first:
            return None
        frame = bisect_left(self._ends, grain)
        said_s = self._came_s[frame] - (self._ends[frame] - grain) / SAMPLE_RATE
        return max(said_s, self._before_s[frame]) - (grain - sample) / SAMPLE_RATE

    def _forget(self, before: int) -> None:
        """Drop the frames that ended before this sample."""
        old = bisect_left(self._ends, before)
        del self._ends[:old], self._came_s[:old], self._before_s[:old]
