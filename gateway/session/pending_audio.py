"""What every segmenter keeps: audio that waits to be cut, where cutting stands, flushes and the end."""

from __future__ import annotations

from gateway.session.audio_buffer import AudioBuffer
from gateway.session.segmenter import Position, Window


class PendingAudio:
    """The part of a `Segmenter` that does not depend on how it cuts. Pure."""

    def __init__(self, position: Position, kept_pcm: bytes = b"") -> None:
        """`kept_pcm`: on resume, stored audio from `position.next_start` on, at most to `position.cut`.

        What of it is missing must be fed again. Raises ValueError for more than that.
        """
        if len(kept_pcm) // 2 > position.cut - position.next_start:
            raise ValueError("stored audio reaches beyond the last cut")
        self._position = position
        self._buffer = AudioBuffer(position.next_start)
        self._buffer.append(kept_pcm)
        self._flush_at: int | None = None
        self._end_at: int | None = position.cut if position.ended else None

    @property
    def position(self) -> Position:
        return self._position

    @property
    def received(self) -> int:
        """Samples received since the start of the session."""
        return self._buffer.end

    @property
    def backlog(self) -> int:
        """Samples received that no window has taken yet."""
        waiting = self._buffer.end - self._position.cut
        return waiting if waiting > 0 else 0

    @property
    def end_requested(self) -> bool:
        return self._end_at is not None

    @property
    def flush_requested(self) -> bool:
        return self._flush_at is not None

    def feed(self, pcm: bytes) -> None:
        """More audio. After the end it is ignored: the end was the client's word."""
        if self._end_at is None:
            self._buffer.append(pcm)

    def flush(self) -> None:
        """Cut what has arrived so far without waiting for more: something is complete."""
        if self._end_at is None and self._buffer.end > self._position.next_start:
            self._flush_at = self._buffer.end

    def end(self) -> None:
        """No more audio comes."""
        if self._end_at is None:
            self._end_at = max(self._buffer.end, self._position.cut)
            self._flush_at = None

    def _taken(self, window: Window) -> None:
        """This window was cut: go on after it."""
        self._position = window.after
        self._buffer.drop_before(window.after.next_start)
        if self._flush_at is not None and window.after.cut >= self._flush_at:
            self._flush_at = None
