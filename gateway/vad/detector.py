"""The seam to speech detection: audio of many sessions in, how probably each frame is speech out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

TakeProbabilities = Callable[[Sequence[float]], None]
"""Takes the probabilities of the next frames of one session, in order, on the event loop."""


class SpeechStream(Protocol):
    """One session's audio on its way through a detector."""

    def feed(self, pcm: bytes) -> None:
        """More PCM16 mono 16 kHz, any number of bytes. Never blocks; the answer comes later."""
        ...

    def close(self) -> None:
        """The session is over: nothing is delivered any more."""
        ...


class SpeechDetector(Protocol):
    """Serves all sessions of a process."""

    def open(self, take: TakeProbabilities) -> SpeechStream:
        """A stream for one session; `take` gets its frames of `endpointer.FRAME` samples."""
        ...

    async def close(self) -> None: ...
