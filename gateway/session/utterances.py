"""Utterances: windows that follow speech, from where it begins to where it ends.

Within an utterance the audio is looked at again and again, each time with more of what follows (interim
results); the last look takes the whole of it and is final. An utterance that does not end is cut at its
quietest moment, or, where windows may share audio, at its full length: a word on the cut is then whole in
one of the two. What is not speech is stored but not decoded. Windows are cut only from audio that the speech
detector has judged, at the end of the session, too: it judges every whole frame that it was given.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.session.audio_buffer import BYTES_PER_SAMPLE
from gateway.session.endpointer import FRAME, Endpointer, EndpointPolicy
from gateway.session.growing_window import LEAD_IN, QUIET_WITHIN
from gateway.session.pending_audio import PendingAudio
from gateway.session.quiet_place import quietest
from gateway.session.segmenter import Position, SpeechChange, Window
from shared.audio.formats import SAMPLE_RATE

TAIL = SAMPLE_RATE // 5
"""Audio after the last speech that belongs to an utterance: soft endings are below any threshold."""


KEPT = LEAD_IN + 4 * FRAME
"""Silence that is kept: speech is noticed some frames after its beginning."""


LEAST_LOOK = SAMPLE_RATE // 10
"""Nothing can be recognised in less audio than this (after a flush nothing at all may be left)."""


class _Kind(enum.Enum):
    """What a window is for: `LOOK` may be followed by another one at the same audio, `LAST_LOOK` and
    `OVERLONG` are not; `KEEP` and `SILENCE` are only stored, within and between utterances."""

    LOOK = 0
    LAST_LOOK = 1
    OVERLONG = 2
    KEEP = 3
    SILENCE = 4


class _Cut(NamedTuple):
    """`change`: the change of speech that this window uses up. `speaking`: an utterance is open after it."""

    end: int
    kind: _Kind
    change: SpeechChange | None = None
    speaking: bool = False


class UtterancePolicy(msgspec.Struct, frozen=True):
    """`interim`: show looks before the end. `endpoint`: where utterances begin and end. `shared`:
    samples that a last look shares with the next window where speech goes on after it."""

    interim: bool = True
    endpoint: EndpointPolicy = EndpointPolicy()
    shared: int = 0


class Utterances(PendingAudio):
    """A `Segmenter`. `position.window`: new audio between two looks; `position.overlap`: longest one."""

    def __init__(self, position: Position, policy: UtterancePolicy, kept_pcm: bytes = b"") -> None:
        """`kept_pcm`: see `PendingAudio`."""
        if not 0 < position.window <= position.overlap:
            raise ValueError("the longest utterance must not be shorter than one step")
        if not 0 <= policy.shared < position.overlap:
            raise ValueError("the longest utterance must be longer than what two windows share")
        super().__init__(position, kept_pcm)
        self._policy = policy
        self._endpointer = Endpointer(policy.endpoint, position.cut, speaking=position.speaking)
        self._changes: deque[SpeechChange] = (
            deque()
        )  # at most two for each second of backlog, which is bounded

    @property
    def window_waiting(self) -> bool:
        return self._due() is not None

    def confirm(self, sample: int) -> None:
        """An utterance is looked at from its beginning: no word is ever cut between two windows."""

    def note_speech(self, probabilities: Sequence[float]) -> list[SpeechChange]:
        changes = self._endpointer.judge(probabilities)
        self._changes += changes
        self._begin_utterance()
        self._settle_flush()
        return changes

    def flush(self) -> None:
        if self._only_shared():
            return  # all of it has had its last look
        super().flush()
        self._settle_flush()

    def _only_shared(self) -> bool:
        """Whether nothing has come since a last look but what the next window shares with it."""
        position = self._position
        return (
            self._buffer.end <= position.cut
            and 0 < position.cut - position.next_start <= self._policy.shared
            and position.speaking
        )

    def cut(self, longest: int = 0) -> Window | None:
        due = self._due()
        if due is None:
            return None
        window = self._make(due)
        self._taken(window)
        if due.change is not None:
            self._changes.popleft()
        self._begin_utterance()
        self._settle_flush()
        return window

    def _settle_flush(self) -> None:
        """A flush is done once all before it is judged and cut: only then is it known whether speech lies
        there. The rest of less than a frame waits for what follows, as always."""
        if self._flush_judged() and self._due() is None and not self._position.speaking:
            self._flush_at = None

    def _flush_judged(self) -> bool:
        return self._flush_at is not None and self._judged() + FRAME > self._flush_at

    def _judged(self) -> int:
        return min(self._endpointer.covered, self._buffer.end)

    def _begin_utterance(self) -> None:
        """Speech that begins in audio that is stored already needs no window of its own to begin with."""
        begin = self._next_begin()
        if begin is not None and begin <= self._position.cut:
            self._changes.popleft()
            self._position = msgspec.structs.replace(self._position, speaking=True, next_start=begin)

    def _next_begin(self) -> int | None:
        """Where the next utterance begins, if that is known."""
        if self._position.speaking or self._position.ended:
            return None
        while self._changes and not self._changes[0].speaking:
            self._changes.popleft()  # of an utterance that was ended otherwise
        if not self._changes:
            return None
        return max(self._changes[0].sample - LEAD_IN, self._position.next_start)

    # -- where the next window ends ----------------------------------------------------------------
    def _due(self) -> _Cut | None:
        if self._position.ended:
            return None
        judged = self._judged()
        if self._end_at is not None and judged + FRAME > self._end_at:
            judged = self._end_at  # less than a frame is left: nobody judges that
        return self._within(judged) if self._position.speaking else self._between(judged)

    def _within(self, judged: int) -> _Cut | None:
        """The next look at an utterance."""
        position, change = self._position, self._changes[0] if self._changes else None
        stop, speaking = self._stop(change, judged)
        until = judged if stop is None else stop
        if until - position.next_start >= position.overlap:
            return _Cut(position.next_start + position.overlap, _Kind.OVERLONG)
        if stop is not None:
            ended = change if change is not None and not speaking and not change.speaking else None
            end = max(stop, position.cut)
            kind = _Kind.LAST_LOOK if end - position.next_start >= LEAST_LOOK else _Kind.SILENCE
            return _Cut(end, kind, ended, speaking)
        steps = (judged - position.cut) // position.window
        if steps < 1:
            return None
        return _Cut(
            position.cut + steps * position.window, _Kind.LOOK if self._policy.interim else _Kind.KEEP
        )

    def _stop(self, change: SpeechChange | None, judged: int) -> tuple[int | None, bool]:
        """Where the utterance ends, if that is known, and whether speech goes on after it."""
        stops: list[tuple[int, bool]] = []
        if change is not None and not change.speaking:
            stops.append((change.sample + TAIL, False))
        if self._flush_at is not None and self._flush_judged():
            stops.append((self._flush_at, True))
        if self._end_at is not None and judged == self._end_at:
            stops = [stop for stop in stops if stop[0] < self._end_at] or [(self._end_at, False)]
        return min(stops) if stops else (None, True)

    def _between(self, judged: int) -> _Cut | None:
        """Audio without speech, up to the next utterance or as far as it was judged."""
        position, begin = self._position, self._next_begin()
        if begin is not None:
            return _Cut(begin, _Kind.SILENCE, self._changes[0], True)
        if judged == self._end_at:
            return _Cut(judged, _Kind.SILENCE)
        due = judged - position.cut >= position.window or (self._flush_judged() and judged > position.cut)
        return _Cut(judged, _Kind.SILENCE) if due else None

    # -- the window ----------------------------------------------------------------------------------
    def _make(self, due: _Cut) -> Window:
        position, end = self._position, due.end
        kind, ends_session = due.kind, self._end_at is not None and end >= self._end_at
        pcm = self._buffer.read(position.next_start, end)
        if kind is _Kind.OVERLONG and not ends_session and not self._policy.shared:
            end = max(
                position.next_start + quietest(pcm, min(QUIET_WITHIN, position.overlap // 2)),
                position.cut,
                position.next_start + 1,
            )
            pcm = pcm[: (end - position.next_start) * BYTES_PER_SAMPLE]
        fresh = pcm[max(0, position.cut - position.next_start) * BYTES_PER_SAMPLE :]
        final = kind in (_Kind.OVERLONG, _Kind.LAST_LOOK)
        decoded = final or kind is _Kind.LOOK
        seq = position.next_seq if decoded else None
        speaking = kind in (_Kind.OVERLONG, _Kind.LOOK, _Kind.KEEP) or due.speaking
        after = msgspec.structs.replace(
            position,
            next_start=self._next_start(due, end, ends_session),
            cut=end,
            next_seq=position.next_seq + decoded,
            ended=ends_session,
            final_seq=position.next_seq if decoded and ends_session else position.final_seq,
            speaking=speaking and not ends_session,
        )
        return Window(seq, position.next_start, pcm, position.cut, fresh, final, kind is _Kind.SILENCE, after)

    def _next_start(self, due: _Cut, end: int, ends_session: bool) -> int:
        """Where the window after this one begins."""
        if due.kind in (_Kind.LOOK, _Kind.KEEP):
            return self._position.next_start
        if not ends_session and (
            due.kind is _Kind.OVERLONG or (due.kind is _Kind.LAST_LOOK and due.speaking)
        ):
            return max(end - self._policy.shared, self._position.next_start + 1)
        if due.kind is _Kind.SILENCE and not due.speaking and self._end_at is None:
            return max(self._position.next_start, end - KEPT)
        return end
