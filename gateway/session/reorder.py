"""Results in, results out strictly by `seq`: no hole, no duplicate, wherever they came from.

The same result may arrive by pub/sub, from the log, and as the answer to a settle; results of
one session may be committed out of order by several workers.
"""

from __future__ import annotations

from shared.protocol.segments import LoggedResult, SegmentResult

MAX_HELD = 256
"""Results kept while an earlier one is missing; far above WS_MAX_QUEUE, which bounds it in practice."""


class ReorderBuffer:
    """Reorder buffer of one session, and the place in the result log from which to read on. Pure."""

    def __init__(self, next_seq: int = 0, log_offset: int = 0) -> None:
        """`log_offset`: every result at or before it has been released (0: none)."""
        self._next_seq = next_seq
        self._held: dict[int, LoggedResult] = {}
        self._top = log_offset
        self._seen: set[int] = set()

    @property
    def next_seq(self) -> int:
        """The seq of the next result to be released."""
        return self._next_seq

    @property
    def log_top(self) -> int:
        """The offset up to which the log has been seen without a hole."""
        return self._top

    @property
    def seen_top(self) -> int:
        """The highest offset of the log that has been seen: a log that ends before it has lost results."""
        return max(self._seen, default=self._top)

    @property
    def replay_from(self) -> int:
        """The offset after which the log holds everything that has not been released yet."""
        return min((held.offset - 1 for held in self._held.values()), default=self._top)

    def held(self, seq: int) -> SegmentResult | None:
        """A result that has arrived but whose turn has not come."""
        waiting = self._held.get(seq)
        return waiting.result if waiting else None

    def accept(self, logged: LoggedResult) -> list[SegmentResult]:
        """Take one result in; returns those whose turn has come, in order."""
        seq = logged.result.seq
        if seq - self._next_seq >= MAX_HELD:
            return []  # not noted as seen: the next read of the log finds it again
        self._note(logged.offset)
        if seq < self._next_seq or seq in self._held:
            return []
        self._held[seq] = logged
        released = []
        while self._next_seq in self._held:
            released.append(self._held.pop(self._next_seq).result)
            self._next_seq += 1
        return released

    def start_new_log(self, next_seq: int) -> None:
        """The epoch changed: a new, empty log; nothing before `next_seq` comes any more."""
        self._held.clear()
        self._seen.clear()
        self._top = 0
        self._next_seq = next_seq

    def _note(self, offset: int) -> None:
        if offset > self._top:
            self._seen.add(offset)
        while self._top + 1 in self._seen:
            self._top += 1
            self._seen.discard(self._top)
