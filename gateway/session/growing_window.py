"""Growing windows: the same audio is looked at again and again, each time with more of what follows.

Every `position.window` new samples a window is cut that begins at the last confirmed sample and ends at
the newest one. The interpreter compares the looks and confirms what they agree on; the next window
begins there. A window that reaches `position.overlap` samples without being confirmed is the last look
at its audio: it is cut at its quietest moment and is final. How often the client's frames come decides
nothing; how late the service is decides how much a window takes in, and `position` says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.session.audio_buffer import BYTES_PER_SAMPLE
from gateway.session.pending_audio import PendingAudio
from gateway.session.quiet_place import quietest
from gateway.session.segmenter import Position, SpeechChange, Window, WindowPolicy
from shared.audio.formats import SAMPLE_RATE
from shared.audio.silence_gate import pass_gate

QUIET_WITHIN = 2 * SAMPLE_RATE
"""A window that is too long is cut somewhere in its last two seconds, or in its second half: what is left of
it must be longer than `LEAD_IN`, or silence would be cut again and again."""
LEAD_IN = SAMPLE_RATE * 3 // 10
"""Audio before speech that is kept for the window: soft beginnings are below any gate."""


class GrowingWindow(PendingAudio):
    """A `Segmenter`. `position.window`: new audio between two looks; `position.overlap`: longest window."""

    def __init__(self, position: Position, policy: WindowPolicy, kept_pcm: bytes = b"") -> None:
        """`kept_pcm`: see `PendingAudio`."""
        if not 0 < position.window <= position.overlap:
            raise ValueError("the longest window must not be shorter than one step")
        super().__init__(position, kept_pcm)
        self._policy = policy

    @property
    def window_waiting(self) -> bool:
        return self._due() is not None

    def confirm(self, sample: int) -> None:
        """The next window begins there, or a little before the end of the last one: the end of the session
        must find something to look at, or the utterance would stay open."""
        start = min(sample, self._position.cut - LEAD_IN)
        if start > self._position.next_start and not self._position.ended:
            self._position = msgspec.structs.replace(self._position, next_start=start)
            self._buffer.drop_before(start)

    def note_speech(self, probabilities: Sequence[float]) -> list[SpeechChange]:
        """Windows follow the audio and what was confirmed."""
        return []

    def cut(self, longest: int = 0) -> Window | None:
        due = self._due()
        if due is None:
            return None
        window = self._make(*due)
        self._taken(window)
        return window

    def _due(self) -> tuple[int, bool] | None:
        """Where the next window ends, and whether it is the last look; None if none can be cut now."""
        position = self._position
        if position.ended:
            return None
        full = position.next_start + position.overlap
        until = self._buffer.end if self._end_at is None else self._end_at
        stop = self._end_at if self._end_at is not None else self._flush_at
        if until >= full:
            return full, True
        if stop is not None:
            return stop, True
        steps = (until - position.cut) // position.window
        return (position.cut + steps * position.window, False) if steps else None

    def _make(self, end: int, last_look: bool) -> Window:
        position = self._position
        pcm = self._buffer.read(position.next_start, end)
        ends_session = self._end_at is not None and end >= self._end_at
        if last_look and end - position.next_start >= position.overlap and not ends_session:
            end = self._quiet_end(pcm)
            pcm = pcm[: (end - position.next_start) * BYTES_PER_SAMPLE]
        fresh = pcm[max(0, position.cut - position.next_start) * BYTES_PER_SAMPLE :]
        # What was looked at before gets its last look even if what follows is silence.
        open_before = position.speaking
        gated = pass_gate(position.gate, pcm, self._policy.silence_dbfs)
        silent = not open_before and gated.sound != "audible"
        short = ends_session and not open_before and end - position.cut < max(self._policy.min_rest, 1)
        decoded = len(pcm) > 0 and not silent and not short
        seq = position.next_seq if decoded else None
        final = last_look or ends_session
        if decoded:
            next_start = end if final else position.next_start
        else:
            next_start = end if ends_session else max(position.next_start, end - LEAD_IN)
        after = msgspec.structs.replace(
            position,
            cut=max(end, position.cut),
            next_start=next_start,
            next_seq=position.next_seq + decoded,
            ended=ends_session,
            final_seq=seq if seq is not None and ends_session else position.final_seq,
            speaking=decoded and not final,
            gate=gated.state,
        )
        return Window(seq, position.next_start, pcm, position.cut, fresh, final, silent, after, gated.tell)

    def _quiet_end(self, pcm: bytes) -> int:
        """Where an overlong window ends: never before what was stored already."""
        position = self._position
        place = position.next_start + quietest(pcm, min(QUIET_WITHIN, position.overlap // 2))
        return max(place, position.cut, position.next_start + 1)
