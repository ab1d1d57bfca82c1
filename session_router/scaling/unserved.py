"""Pools that somebody asked for while no worker of theirs was ready: what wakes a pool that sleeps."""

from __future__ import annotations

from shared.clock import Clock
from shared.ids import PoolName


class UnservedPools:
    """Remembers each such pool for `remember_s` seconds after the last who asked.

    Who is refused does not wait here, so that the waiting room shows nothing of them; but a pool without
    workers never gets one unless they count. An autoscaler looks only every half minute, so that one look
    must not have to fall into the moment of a refusal. At most as many pools are kept as were asked for
    within `remember_s`.
    """

    def __init__(self, clock: Clock, remember_s: float) -> None:
        self._clock = clock
        self._remember_s = remember_s
        self._asked_s: dict[PoolName, float] = {}

    def note(self, pool: PoolName) -> None:
        """A session asked for this pool, and no worker of it was ready."""
        now_s = self._clock.monotonic()
        self._asked_s = {name: asked_s for name, asked_s in self._asked_s.items() if self._is_fresh(asked_s)}
        self._asked_s[pool] = now_s

    def __contains__(self, pool: PoolName) -> bool:
        asked_s = self._asked_s.get(pool)
        return asked_s is not None and self._is_fresh(asked_s)

    def _is_fresh(self, asked_s: float) -> bool:
        return self._clock.monotonic() - asked_s < self._remember_s
