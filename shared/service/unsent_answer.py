"""Answers that nobody reads: a socket is held only as long as its client takes what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

LEAST_BYTES_PER_S = 1000
"""A client that takes less holds its socket on purpose, or has no network worth the name."""


class Timer(Protocol):
    """What `call_later` gives."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """The part of an event loop that is needed."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer: ...


class UnsentAnswer:
    """What of a socket's answers still waits to be sent, and whether enough of it has gone lately."""

    def __init__(self, timeout_s: float, on_unread: Callable[[], None]) -> None:
        """`on_unread` is called once hardly anything has gone for `timeout_s`."""
        self._timeout_s = timeout_s
        self._on_unread = on_unread
        self._timer: Timer | None = None
        self._loop: Timers | None = None
        self._transport: asyncio.Transport | None = None
        self._waited = 0
        self._moved = False

    def begin(self, loop: Timers, transport: asyncio.Transport) -> None:
        """The socket is open."""
        self._loop, self._transport = loop, transport

    def watch(self) -> None:
        """Something was written, or the socket is to be closed once all is sent."""
        if self._timer is None and self._loop is not None and self._waiting:
            self._waited, self._moved = self._waiting, False
            self._timer = self._loop.call_later(self._timeout_s, self._look)

    def moved(self) -> None:
        """The client has taken enough that more may be written."""
        self._moved = True

    def end(self) -> None:
        """The socket is gone, or it is no HTTP socket any more: nothing of it is kept."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop = self._transport = None
        self._on_unread = _nothing

    @property
    def _waiting(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _look(self) -> None:
        self._timer = None
        gone = self._waited - self._waiting
        if self._waiting and not self._moved and gone < LEAST_BYTES_PER_S * self._timeout_s:
            self._on_unread()
        else:
            self.watch()


def _nothing() -> None:
    """In place of a method whose object is to be freed."""
