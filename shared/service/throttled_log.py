"""Warnings that would repeat many times a second while something is away: said once per interval, counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

EVERY_S = 10.0
"""The same warning is written at most once in so many seconds."""


class ThrottledLog:
    """One per module. The first warning of a kind is written at once; those left out are counted in the next
    one (`left_out`). A kind is an event and its `key`: a shard, a call; there must be few of them."""

    def __init__(
        self,
        log: structlog.typing.FilteringBoundLogger,
        every_s: float = EVERY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._every_s = every_s
        self._monotonic = monotonic
        self._said: dict[tuple[str, object], tuple[float, int]] = {}

    def warning(self, event: str, *, key: object = "", **fields: Any) -> None:
        """Write it, or count it if this kind was written a moment ago."""
        now_s = self._monotonic()
        said_s, left_out = self._said.get((event, key), (float("-inf"), 0))
        if now_s - said_s < self._every_s:
            self._said[event, key] = (said_s, left_out + 1)
            return
        self._said[event, key] = (now_s, 0)
        if left_out:
            fields["left_out"] = left_out
        self._log.warning(event, **fields)
