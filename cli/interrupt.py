"""What Ctrl-C does while audio is streamed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

INTERRUPTED: Final = 130
"""The exit code of a command that Ctrl-C ended: 128 and the number of SIGINT, as shells have it."""


class Interrupts:
    """Counts the Ctrl-C of one recitation or transcription.

    The first one calls `end` (of the audio), and the rest is answered. The second one cancels the task
    that made this. If `begun` says that nothing has been sent yet, the first one does that, too.
    """

    def __init__(self, end: Callable[[], None], begun: Callable[[], bool]) -> None:
        self._end = end
        self._begun = begun
        self._running = asyncio.current_task()
        self._count = 0

    @property
    def came(self) -> bool:
        """Whether there was any."""
        return self._count > 0

    def take(self) -> None:
        """One more came."""
        self._count += 1
        if self._count == 1 and self._begun():
            self._end()
        elif self._running is not None:
            self._running.cancel()


@contextmanager
def taking(interrupts: Interrupts) -> Iterator[None]:
    """SIGINT goes to `interrupts` as long as this lasts, where the system allows it."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    try:
        loop.add_signal_handler(signal.SIGINT, interrupts.take)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
