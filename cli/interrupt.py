"""What Ctrl-C does while audio is streamed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupt_ends(end: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C calls `end` (of the audio), and the rest is answered; the second one aborts."""
    loop, running, interrupts = asyncio.get_running_loop(), asyncio.current_task(), 0

    def on_interrupt() -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts == 1:
            end()
        elif running is not None:
            running.cancel()

    try:
        loop.add_signal_handler(signal.SIGINT, on_interrupt)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
