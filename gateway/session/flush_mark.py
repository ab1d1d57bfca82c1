"""When a client's flush is done: all audio before it is cut, and every segment of it has its event. Pure."""

from __future__ import annotations

from gateway.session.segmenter import Segmenter


class FlushMark:
    """The newest flush of one session."""

    def __init__(self) -> None:
        self._asked = False
        self._next_seq: int | None = None

    def ask(self) -> None:
        """The client flushes; if an earlier flush is not done yet, both are done together."""
        self._asked = True

    def is_done(self, segmenter: Segmenter, answered_seq: int) -> bool:
        """Whether the flush is done now; True once. `answered_seq`: the first seq that has no event yet."""
        position = segmenter.position
        cut = position.ended if segmenter.end_requested else not segmenter.flush_requested
        if self._asked and cut:
            self._asked, self._next_seq = False, position.next_seq
        if self._asked or self._next_seq is None or answered_seq < self._next_seq:
            return False
        self._next_seq = None
        return True
