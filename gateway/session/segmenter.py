"""The seam between the session core and how audio becomes segments.

A segmenter takes audio in and gives windows out when it is asked. Its `Position` is saved with every
window, so that a resumed session goes on cutting where the last one ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from shared.audio.silence_gate import GateState


class Position(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a session's audio has been cut; all in samples. Saved with every push.

    `window`, `overlap`: lengths, as each segmenter says. `next_start`: start of the next window. `cut`: end
    of the last window, and of the stored audio. `next_seq`: number of the next segment. `ended`: the
    client said that no more audio comes, and everything has been cut. `final_seq`: the segment that
    ended the audio, -1 if there is none. `speaking`: `cut` lies within an utterance. `gate`:
    what the silence gate remembers.
    """

    window: int
    overlap: int
    next_start: int = 0
    cut: int = 0
    next_seq: int = 0
    ended: bool = False
    final_seq: int = -1
    speaking: bool = False
    gate: GateState = GateState()


class Window(NamedTuple):
    """One cut. `seq` is None for audio that is stored but not decoded (silence, a short rest).

    `fresh` is the audio from `fresh_start` on that no earlier window had, a part of `pcm` or all of it.
    `final`: nothing that comes later looks at this audio again (the end of an utterance or of the session).
    `after` is the position once this window is pushed. `too_quiet`: the speaker is to be told so.
    """

    seq: int | None
    start_sample: int
    pcm: bytes
    fresh_start: int
    fresh: bytes
    final: bool
    silent: bool
    after: Position
    too_quiet: bool = False


class SpeechChange(NamedTuple):
    """Speech begins or ends at this sample of the session."""

    speaking: bool
    sample: int


class WindowPolicy(NamedTuple):
    """`silence_dbfs`: what is louder passes the silence gate, however the session was so far. `min_rest`:
    shortest rest worth decoding, samples."""

    silence_dbfs: float = -60.0
    min_rest: int = 3200


class Segmenter(Protocol):
    """One session's audio, from what arrived to windows. Pure."""

    @property
    def position(self) -> Position: ...

    @property
    def received(self) -> int:
        """Samples received since the start of the session."""
        ...

    @property
    def backlog(self) -> int:
        """Samples received that no window has taken yet."""
        ...

    @property
    def end_requested(self) -> bool: ...

    @property
    def flush_requested(self) -> bool:
        """Whether audio that came before a flush is still to be cut."""
        ...

    @property
    def window_waiting(self) -> bool:
        """Whether `cut` would return something."""
        ...

    def feed(self, pcm: bytes) -> None:
        """More audio, PCM16 mono 16 kHz, any number of bytes. After the end it is ignored."""
        ...

    def flush(self) -> None:
        """Cut what has arrived so far without waiting for a full window."""
        ...

    def end(self) -> None:
        """No more audio comes."""
        ...

    def cut(self, longest: int = 0) -> Window | None:
        """The next window, or None. `longest`: windows that wait may be joined up to so many samples."""
        ...

    def confirm(self, sample: int) -> None:
        """The interpreter needs no other look at audio before `sample`."""
        ...

    def note_speech(self, probabilities: Sequence[float]) -> list[SpeechChange]:
        """How probably each next frame of the detector is speech; what changed by that."""
        ...
