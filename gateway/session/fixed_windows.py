"""Audio in, windows out: where each window begins and ends is a function of the audio alone.

Window k covers [start, start + window); the next one starts `overlap` before its end. A window is
cut only when the caller asks (it asks while fewer than `WS_MAX_QUEUE` segments are in flight), so
back-pressure delays windows but never drops them.

Audio that was held back may be cut as one longer window instead of several (`cut(longest)`): fewer
segments for a service that is behind. Where a window ends is then a matter of chance until it is cut;
from then on `position` says it, and it is saved with the push, so that a resumed session goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.session.audio_buffer import BYTES_PER_SAMPLE
from gateway.session.pending_audio import PendingAudio
from gateway.session.segmenter import Position, SpeechChange, Window, WindowPolicy
from shared.audio.silence_gate import pass_gate


class FixedWindows(PendingAudio):
    """A `Segmenter`. `position.window`: length of every window; `position.overlap`: of what two share."""

    def __init__(self, position: Position, policy: WindowPolicy, overlap_pcm: bytes = b"") -> None:
        """`overlap_pcm`: see `PendingAudio`."""
        if position.window <= 0 or not 0 <= position.overlap < position.window:
            raise ValueError("a window must be longer than its overlap")
        super().__init__(position, overlap_pcm)
        self._policy = policy

    @property
    def window_waiting(self) -> bool:
        """Whether `cut` would return something."""
        return self._due() is not None

    def cut(self, longest: int = 0) -> Window | None:
        """The next window, or None while there is not enough audio for one.

        If several windows wait, they are taken as one of at most `longest` samples.
        """
        end = self._due()
        if end is None:
            return None
        window = self._make(self._joined(end, longest))
        self._taken(window)
        return window

    @property
    def flush_requested(self) -> bool:
        """A rest that is not worth decoding waits for what follows, flush or not."""
        return self._flush_at is not None and self._is_worth(self._flush_at)

    def confirm(self, sample: int) -> None:
        """Windows follow the audio alone."""

    def note_speech(self, probabilities: Sequence[float]) -> list[SpeechChange]:
        """Windows follow the audio alone."""
        return []

    def _due(self) -> int | None:
        """Where the next window ends, if it can be cut now."""
        position = self._position
        if position.ended:
            return None
        full = position.next_start + position.window
        if self._end_at is not None:
            return min(full, self._end_at)
        flush = self._flush_at
        if flush is not None and flush < full and self._is_worth(flush):
            return flush
        return full if full <= self._buffer.end else None

    def _is_worth(self, end: int) -> bool:
        return end - self._position.cut >= max(self._policy.min_rest, 1)

    def _joined(self, end: int, longest: int) -> int:
        """Where a window that takes in its waiting followers ends: where one of theirs would have."""
        position = self._position
        hop = position.window - position.overlap
        last = self._buffer.end if self._end_at is None else self._end_at
        followers = (min(position.next_start + longest, last) - end) // hop
        if end - position.next_start < position.window or followers < 1:
            return end
        return end + followers * hop

    def _make(self, end: int) -> Window:
        position = self._position
        pcm = self._buffer.read(position.next_start, end)
        heard = (position.cut - position.next_start) * BYTES_PER_SAMPLE
        fresh = pcm[heard:]
        last = self._end_at is not None and end >= self._end_at
        short = last and end - position.cut < max(self._policy.min_rest, 1)
        gated = pass_gate(position.gate, pcm, self._policy.silence_dbfs)
        silent = not short and gated.sound == "silent"
        # The end of what was heard is always a segment: its result settles the last words.
        closing = last and position.next_seq > 0 and len(pcm) > 0
        seq = position.next_seq if closing or not (short or silent) else None
        after = msgspec.structs.replace(
            position,
            cut=end,
            next_start=end if last else max(position.next_start, end - position.overlap),
            next_seq=position.next_seq + (seq is not None),
            ended=last,
            final_seq=position.final_seq if seq is None or not last else seq,
            gate=gated.state,
        )
        return Window(seq, position.next_start, pcm, position.cut, fresh, last, silent, after, gated.tell)
