"""The audio of one connection that has not been cut into windows yet: bounded PCM, addressed by sample."""

from __future__ import annotations

BYTES_PER_SAMPLE = 2


class AudioBuffer:
    """PCM16 mono. Appending and dropping from the front copy only the new bytes.

    A byte left over from an odd-sized frame is kept until its other half arrives.
    """

    def __init__(self, start_sample: int = 0) -> None:
        self._data = bytearray()
        self._start = start_sample

    @property
    def start(self) -> int:
        """The first sample still held."""
        return self._start

    @property
    def end(self) -> int:
        """The sample after the last complete one."""
        return self._start + len(self._data) // BYTES_PER_SAMPLE

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    def append(self, pcm: bytes) -> None:
        self._data += pcm

    def read(self, start: int, end: int) -> bytes:
        """A copy of samples [start, end). Raises ValueError for samples that are not held."""
        if not self._start <= start <= end <= self.end:
            raise ValueError(f"samples {start}..{end} are not in {self._start}..{self.end}")
        first = (start - self._start) * BYTES_PER_SAMPLE
        last = (end - self._start) * BYTES_PER_SAMPLE
        with memoryview(self._data) as view:
            return bytes(view[first:last])

    def drop_before(self, sample: int) -> None:
        """Forget samples before `sample` (CPython moves the start of a bytearray, not its bytes)."""
        if sample <= self._start:
            return
        if sample > self.end:
            raise ValueError(f"sample {sample} has not arrived yet, the buffer ends at {self.end}")
        del self._data[: (sample - self._start) * BYTES_PER_SAMPLE]
        self._start = sample
