"""The audio of one connection that has not been cut into windows yet: bounded PCM, addressed by sample."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

BYTES_PER_SAMPLE = 2

_JOINED_BYTES = 4096
"""Frames that fit into this together are kept as one: many tiny ones would cost many times their size."""


class AudioBuffer:
    """PCM16 mono. Frames are kept as they came; only reading copies them, once.

    A byte left over from an odd-sized frame is kept until its other half arrives.
    """

    def __init__(self, start_sample: int = 0) -> None:
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._start = start_sample
        self.end = start_sample
        """The sample after the last complete one; only read from outside. Asked several times a frame."""

    @property
    def start(self) -> int:
        """The first sample still held."""
        return self._start

    @property
    def size_bytes(self) -> int:
        return self._size

    def append(self, pcm: bytes) -> None:
        if not pcm:
            return
        if self._frames and len(self._frames[-1]) + len(pcm) <= _JOINED_BYTES:
            self._frames[-1] += pcm
        else:
            self._frames.append(pcm)
        self._size += len(pcm)
        self.end = self._start + self._size // BYTES_PER_SAMPLE

    def read(self, start: int, end: int) -> bytes:
        """A copy of samples [start, end). Raises ValueError for samples that are not held."""
        if not self._start <= start <= end <= self.end:
            raise ValueError(f"samples {start}..{end} are not in {self._start}..{self.end}")
        first = (start - self._start) * BYTES_PER_SAMPLE
        return b"".join(self._pieces(first, first + (end - start) * BYTES_PER_SAMPLE))

    def drop_before(self, sample: int) -> None:
        """Forget samples before `sample`."""
        if sample <= self._start:
            return
        if sample > self.end:
            raise ValueError(f"sample {sample} has not arrived yet, the buffer ends at {self.end}")
        gone = (sample - self._start) * BYTES_PER_SAMPLE
        self._size -= gone
        self._start = sample
        while self._frames and len(self._frames[0]) <= gone:
            gone -= len(self._frames.popleft())
        if gone:
            self._frames[0] = self._frames[0][gone:]

    def _pieces(self, first: int, last: int) -> Iterator[bytes | memoryview]:
        """The held bytes [first, last), frame by frame."""
        at = 0
        for frame in self._frames:
            begin, stop = max(first - at, 0), min(last - at, len(frame))
            at += len(frame)
            if begin >= len(frame):
                continue
            if stop <= 0:
                return
            yield frame if stop - begin == len(frame) else memoryview(frame)[begin:stop]
