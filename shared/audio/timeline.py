"""Decoded frames at the times their container gives them, as one line of 16 kHz samples.

Time 0 is the first sample of the audio track, whatever time stamp its container gives it. Where the time
stamps leave a gap, the recording has silence of that length, so that every later word keeps its time.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from shared.audio.downmix import MonoMixer
from shared.audio.formats import MAX_CHANNELS, MAX_RATE, MIN_RATE, SAMPLE_RATE
from shared.audio.resampling import Mix, Resampler
from shared.errors import BadAudio

Floats = NDArray[np.float32]

TOLERANCE_S = 0.1
"""Time stamps may be off by so much before a gap is one: containers round them, and recorders in browsers
stamp packets when they get round to it."""
_NO_FORMAT = ("", "", 0)

Piece: TypeAlias = Floats | int
"""Sound, mono unless the channels are kept apart (a column each), or so many samples of silence."""


class Timeline:
    """Takes frames of one recording or stream, of any format one after the other, and gives pieces of it."""

    def __init__(
        self,
        max_seconds: float,
        max_gap_s: float = math.inf,
        mix: Mix = MonoMixer,
        *,
        stamps_follow_rate: bool = True,
    ) -> None:
        """`max_seconds`: of the whole. `max_gap_s`: longest gap that becomes silence. `mix`: what becomes of
        several channels. `stamps_follow_rate`: False where time stamps go on as at the first rate, whatever
        rate follows."""
        self._max_seconds = max_seconds
        self._max_gap_s = max_gap_s
        self._mix = mix
        self._pieces: list[Piece] = []
        self._samples = 0
        self._resampler: Resampler | None = None
        self._format = _NO_FORMAT
        self._origin_s: float | None = None
        self._stamps_follow_rate = stamps_follow_rate
        self._first_rate = 0
        self._rate = 0
        self._rate_since = (0.0, 0.0)
        self.seconds = 0.0

    @property
    def waiting_samples(self) -> int:
        """How many resampled samples have not been taken, at least."""
        return self._resampler.ready_samples if self._resampler is not None else 0

    def add(self, frame: Any) -> bool:
        """Put a frame at its time; False if it cannot be used, as damage makes it.

        Raises `BadAudio` when the whole, or a gap in it, becomes too long.
        """
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if not (MIN_RATE <= rate <= MAX_RATE and 1 <= channels <= MAX_CHANNELS):
            return False
        gap_s = self._gap_s(frame)
        form = (frame.format.name, frame.layout.name, rate)
        if gap_s > 0 or form != self._format:
            self._end_run()
            self._silence(gap_s)
            self._resampler = Resampler(rate, channels, frame.layout.name, self._mix)
            self._format = form
        assert self._resampler is not None
        self.seconds += frame.samples / rate
        if self.seconds > self._max_seconds:
            raise too_long(self._max_seconds)
        try:
            self._resampler.push(frame)
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            self._resampler, self._format = None, _NO_FORMAT
            return False
        return True

    def take(self) -> list[Piece]:
        """What has become complete since the last call."""
        if self._resampler is not None:
            self._sound(self._resampler.take())
        taken, self._pieces = self._pieces, []
        return taken

    def finish(self) -> list[Piece]:
        """The rest."""
        self._end_run()
        return self.take()

    def _gap_s(self, frame: Any) -> float:
        """Seconds of silence before this frame; 0 where it follows the last one or has no time stamp."""
        if frame.pts is None or frame.time_base is None:
            return 0.0
        at_s = self._stamp_s(frame)
        if self._origin_s is None:
            self._origin_s = at_s - self.seconds
        gap_s = at_s - self._origin_s - self.seconds
        if gap_s < -TOLERANCE_S:
            # Two recordings, one after the other: the second one counts from its own start.
            self._origin_s = at_s - self.seconds
        return gap_s if gap_s > TOLERANCE_S else 0.0

    def _stamp_s(self, frame: Any) -> float:
        """The time stamp of a frame, as if it had been counted at the rate of the frames."""
        stamped_s = float(frame.pts * frame.time_base)
        if self._stamps_follow_rate:
            return stamped_s
        if frame.sample_rate != self._rate:
            since_s = self._in_rate(stamped_s) if self._rate else stamped_s
            self._first_rate = self._first_rate or frame.sample_rate
            self._rate, self._rate_since = frame.sample_rate, (stamped_s, since_s)
        return self._in_rate(stamped_s)

    def _in_rate(self, stamped_s: float) -> float:
        from_stamp_s, from_s = self._rate_since
        return from_s + (stamped_s - from_stamp_s) * self._first_rate / self._rate

    def _end_run(self) -> None:
        if self._resampler is not None:
            self._sound(self._resampler.finish())
            self._resampler = None

    def _silence(self, gap_s: float) -> None:
        if gap_s <= 0:
            return
        if gap_s > self._max_gap_s:
            raise BadAudio(f"the audio has a gap of more than {self._max_gap_s:g} s; begin a new recording")
        self.seconds += gap_s
        if self.seconds > self._max_seconds:
            raise too_long(self._max_seconds)
        # The end of the gap is what must be right: samples of earlier runs are whole numbers.
        samples = max(0, round(self.seconds * SAMPLE_RATE) - self._samples)
        self._samples += samples
        self._pieces.append(samples)

    def _sound(self, sound: Floats) -> None:
        if len(sound):
            self._samples += len(sound)
            self._pieces.append(sound)


def too_long(max_seconds: float) -> BadAudio:
    """The refusal of a recording above the limit."""
    return BadAudio(f"the audio is longer than {max_seconds:g} s; send it in parts")
