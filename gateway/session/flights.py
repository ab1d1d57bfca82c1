"""The segments of a session that are on their way: cut, perhaps stored, and not told to the client yet."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.session.segmenter import Window
from gateway.session.snapshot import Flight


class Flights:
    """By seq. A segment is *open* until it has a result, and in flight until that result had its turn."""

    def __init__(self, flights: Iterable[Flight] = ()) -> None:
        self._flights = {flight.seq: flight for flight in flights}
        self._open = set(self._flights)

    @property
    def open_count(self) -> int:
        """Segments without a result."""
        return len(self._open)

    @property
    def open_seqs(self) -> frozenset[int]:
        return frozenset(self._open)

    def get(self, seq: int) -> Flight | None:
        return self._flights.get(seq)

    def oldest_open(self) -> tuple[int, int] | None:
        """(seq, `now_ms` of its push) of the segment that waits longest for its result."""
        if not self._open:
            return None
        waiting = [(self._flights[seq].pushed_ms, seq) for seq in self._open if self._flights[seq].pushed_ms]
        if not waiting:
            return None
        pushed_ms, seq = min(waiting)
        return seq, pushed_ms

    def saved(self, before_seq: int) -> tuple[Flight, ...]:
        """What a snapshot keeps of the segments before this seq."""
        return tuple(self._flights[seq] for seq in sorted(self._flights) if seq < before_seq)

    # -- in the order in which it happens ----------------------------------------------------------
    def cut(self, seq: int, window: Window) -> None:
        self._flights[seq] = Flight(seq, window.start_sample, len(window.pcm) // 2, 0, window.final)
        self._open.add(seq)

    def pushed(self, seq: int, now_ms: int) -> None:
        """The bus has it; it is waited for from now on."""
        flight = self._flights.get(seq)
        if flight is not None:
            self._flights[seq] = msgspec.structs.replace(flight, pushed_ms=now_ms)

    def answered(self, seq: int) -> None:
        self._open.discard(seq)

    def told(self, seq: int) -> None:
        self._flights.pop(seq, None)

    def reopen(self, seqs: Iterable[int]) -> None:
        """Their results are waited for once more: the log that had them is gone."""
        self._open.update(seqs)
