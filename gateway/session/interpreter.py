"""The seam between the session core and what results mean: an interpreter makes findings of results."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from shared.protocol.segments import SegmentResult


class Said(NamedTuple):
    """Where in the session the words end that a finding shows, or settles, for the first time, samples."""

    shown: tuple[int, ...] = ()
    settled: tuple[int, ...] = ()


NOTHING_SAID = Said()


class Finding:
    """What an interpreter makes of one result. Each interpreter has its own kind; its dialects know it."""

    __slots__ = ()

    @property
    def said(self) -> Said:
        """What is new in it; nothing where an interpreter does not know times."""
        return NOTHING_SAID


class Interpreter(Protocol):
    """Pure and deterministic: its state is a function of the results in the order of their seq, so a replay
    of the result log gives the same findings. Times are in samples of the session, 16 kHz."""

    @property
    def confirmed(self) -> int:
        """The audio before this sample needs no other look; segmenters may cut from here on."""
        ...

    def hear(self, result: SegmentResult) -> Finding:
        """The next result with `outcome` "result"."""
        ...

    def miss(self, result: SegmentResult) -> Finding | None:
        """The next result is an error or was dropped; None if nothing is to be shown but that."""
        ...

    def lose(self, start: int, end: int) -> None:
        """The results of this audio, samples, are lost; those of what comes next follow."""
        ...

    def finish(self) -> Finding:
        """The result that came last was the session's last one: what is open is settled."""
        ...

    def snapshot(self) -> bytes:
        """Its whole state, for another process to go on with."""
        ...
