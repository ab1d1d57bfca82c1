"""When a client is asked whether it is there, and how long it may take to answer. Pure: the caller says what
time it is."""

from __future__ import annotations

import math


class PingClock:
    """A ping every `every_s`, an answer within `answer_s` of the first one that is not answered.

    0: the client is never asked.
    """

    def __init__(self, every_s: float, answer_s: float, now_s: float) -> None:
        self._every_s = every_s or math.inf
        self._answer_s = answer_s
        self._asked_s = now_s
        self._waits_from_s = math.inf

    def due(self, now_s: float) -> bool:
        """Whether it is time to ask."""
        return now_s - self._asked_s >= self._every_s

    def ask(self, now_s: float) -> None:
        """The client is asked now."""
        self._asked_s = now_s
        self._waits_from_s = min(self._waits_from_s, now_s)

    def answered(self) -> None:
        """The client is there."""
        self._waits_from_s = math.inf

    def restart(self, now_s: float) -> None:
        """What the client sends was not read until now: its time to answer begins anew."""
        if self._waits_from_s < math.inf:
            self._waits_from_s = now_s

    def overdue(self, now_s: float) -> bool:
        """Whether the client has not answered in its time."""
        return now_s - self._waits_from_s >= self._answer_s

    def left_s(self, now_s: float) -> float:
        """How long until it is to be asked again, or has had its time."""
        return max(0.0, min(self._asked_s + self._every_s, self._waits_from_s + self._answer_s) - now_s)
