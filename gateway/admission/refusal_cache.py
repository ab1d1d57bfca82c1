"""Remembers for a moment that there was no room: a crowd at the door costs next to nothing. Pure."""

from __future__ import annotations

import random

from shared.errors import NoCapacity, NoWorker


class RefusalCache:
    """The routers' last "no capacity", believed for at most `hold_s` seconds.

    Each time it is believed for a random part of that, at least half: gateways that were all refused
    together do not all ask again together.
    """

    def __init__(self, hold_s: float, chance: random.Random | None = None) -> None:
        self._hold_s = hold_s
        self._chance = chance or random.Random()
        # Not the exception: its traceback would keep the refused connection.
        self._retry_after_s: float | None = None
        self._no_worker = False
        self._until_s = 0.0

    def remember(self, refusal: NoCapacity, asked_s: float, now_s: float) -> None:
        """A router refused what it was asked at `asked_s`.

        An answer that took long came from a queue: it says that one waited in vain, not that the next
        one would.
        """
        hold_s = min(self._hold_s, refusal.retry_after_s)
        if now_s - asked_s >= hold_s:
            return
        self._retry_after_s = refusal.retry_after_s
        self._no_worker = isinstance(refusal, NoWorker)
        self._until_s = now_s + hold_s * self._chance.uniform(0.5, 1.0)

    def forget(self) -> None:
        """A slot has become free, or somebody was let in."""
        self._retry_after_s = None

    def recall(self, now_s: float) -> NoCapacity | None:
        """The refusal for one more newcomer, None if the routers should be asked.

        Newcomers are told different times to come back, so that they do not come back together.
        """
        if self._retry_after_s is None:
            return None
        if now_s >= self._until_s:
            self._retry_after_s = None
            return None
        retry_after_s = round(self._retry_after_s * self._chance.uniform(1.0, 1.5), 1)
        again = f"try again in {retry_after_s:g} s"
        if self._no_worker:
            return NoWorker(f"no worker is ready; {again}", max(retry_after_s, 0.1))
        return NoCapacity(f"all workers are full; {again}", max(retry_after_s, 0.1))
