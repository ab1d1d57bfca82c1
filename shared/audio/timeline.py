"""Decoded frames at the times their container gives them, as one recording of 16 kHz mono samples.

Time 0 is the first sample of the audio track, whatever time stamp its container gives it. Where the time
stamps leave a gap, the recording has silence of that length, so that every later word keeps its time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from shared.audio.formats import MAX_CHANNELS, MAX_RATE, MIN_RATE, SAMPLE_RATE
from shared.audio.pcm import to_pcm16
from shared.audio.resampling import Resampler
from shared.errors import BadAudio

Floats = NDArray[np.float32]

TOLERANCE_S = 0.1
"""Time stamps may be off by so much before a gap is one: containers round them, and recorders in browsers
stamp packets when they get round to it."""
_PIECE = 4 * SAMPLE_RATE
"""Samples that are worked on at once."""
_NO_FORMAT = ("", "", 0)
_FULL_SCALE_SHARE = 99.9
"""Per cent of the samples that must fit below full scale; where fewer do, the recording is made quieter."""


class Timeline:
    """Collects the frames of one recording. Frames of any format may follow one another."""

    def __init__(self, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._limit = int(max_seconds * SAMPLE_RATE)
        self._pieces: list[Floats | int] = []
        self._samples = 0
        self._resampler: Resampler | None = None
        self._format = _NO_FORMAT
        self._origin_s: float | None = None
        self._due_s = 0.0

    def add(self, frame: Any) -> bool:
        """Put a frame at its time; False if its format is out of bounds, as damage makes it.

        Raises `BadAudio` when the recording becomes too long.
        """
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if not (MIN_RATE <= rate <= MAX_RATE and 1 <= channels <= MAX_CHANNELS):
            return False
        gap_s = self._gap_s(frame)
        form = (frame.format.name, frame.layout.name, rate)
        if gap_s > 0 or form != self._format:
            self._end_run()
            self._silence(gap_s)
            self._resampler, self._format = Resampler(rate, channels, frame.layout.name), form
        assert self._resampler is not None
        self._due_s += frame.samples / rate
        try:
            self._resampler.push(frame)
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            self._resampler, self._format = None, _NO_FORMAT
            return False
        if self._resampler.ready_samples >= _PIECE:
            self._sound(self._resampler.take())
        return True

    def pcm16(self) -> bytes:
        """The whole recording, its mean removed. Raises `BadAudio` if there is no sample in it."""
        self._end_run()
        sounds = [piece for piece in self._pieces if not isinstance(piece, int)]
        heard = sum(piece.size for piece in sounds)
        if not heard:
            raise BadAudio("the audio has no samples; was the recording stopped before it began?")
        full = _full_scale(sounds)
        for piece in sounds:
            np.clip(piece, -full, full, out=piece)
        mean = np.float32(sum(float(piece.sum(dtype=np.float64)) for piece in sounds) / heard)
        return b"".join(
            bytes(2 * piece) if isinstance(piece, int) else to_pcm16((piece - mean) / full)
            for piece in self._pieces
        )

    def _gap_s(self, frame: Any) -> float:
        """Seconds of silence before this frame; 0 where it follows the last one or has no time stamp."""
        if frame.pts is None or frame.time_base is None:
            return 0.0
        at_s = float(frame.pts * frame.time_base)
        if self._origin_s is None:
            self._origin_s = at_s - self._due_s
        gap_s = at_s - self._origin_s - self._due_s
        if gap_s < -TOLERANCE_S:
            # Two recordings, one after the other: the second one counts from its own start.
            self._origin_s = at_s - self._due_s
        return gap_s if gap_s > TOLERANCE_S else 0.0

    def _end_run(self) -> None:
        if self._resampler is not None:
            self._sound(self._resampler.finish())
            self._resampler = None

    def _silence(self, gap_s: float) -> None:
        if gap_s > 0:
            self._due_s += gap_s
            # The end of the gap is what must be right: samples of earlier runs are whole numbers.
            self._grow(max(0, round(min(self._due_s, 1e6) * SAMPLE_RATE) - self._samples))

    def _grow(self, samples: int) -> None:
        self._count(samples)
        self._pieces.append(samples)

    def _sound(self, sound: Floats) -> None:
        self._count(sound.size)
        self._pieces.append(sound)

    def _count(self, samples: int) -> None:
        self._samples += samples
        if self._samples > self._limit:
            raise too_long(self._max_seconds)


def too_long(max_seconds: float) -> BadAudio:
    """The refusal of a recording above the limit."""
    return BadAudio(f"the audio is longer than {max_seconds:g} s; send it in parts")


def _full_scale(sounds: list[Floats]) -> np.float32:
    """The value that becomes full scale: 1, or more for floats beyond it."""
    if max(float(np.abs(piece).max(initial=0)) for piece in sounds) <= 1:
        return np.float32(1)
    return np.float32(max(1.0, np.percentile(np.abs(np.concatenate(sounds)), _FULL_SCALE_SHARE)))
