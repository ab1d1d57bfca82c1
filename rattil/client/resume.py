"""What a client must remember to survive a broken connection: pure, no sockets, no clock.

Audio counts in samples from the start of the session (16 kHz, 16-bit mono). The server's `ack` says
up to which sample audio is safe; what is not acked is kept here and sent again after a reconnect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from shared.audio.formats import SAMPLE_RATE

BYTES_PER_SAMPLE = 2
DEFAULT_CAPACITY_SAMPLES = 120 * SAMPLE_RATE
"""Two minutes of unacknowledged audio (3.8 MB): many times what a healthy server leaves unacked."""


class UnackedAudio:
    """The stretch of PCM16 from the last acked sample to the newest one; bounded."""

    def __init__(self, capacity_samples: int = DEFAULT_CAPACITY_SAMPLES) -> None:
        self._pcm = bytearray()
        self._start = 0
        self._capacity = capacity_samples

    @property
    def start(self) -> int:
        """First sample still kept."""
        return self._start

    @property
    def end(self) -> int:
        """One past the newest sample."""
        return self._start + len(self._pcm) // BYTES_PER_SAMPLE

    @property
    def room(self) -> int:
        """Samples that may still be appended."""
        return self._capacity - (self.end - self._start)

    def append(self, pcm: bytes) -> None:
        """Keep whole samples of `pcm`. Raises BufferError beyond the capacity: wait for acks first."""
        samples = len(pcm) // BYTES_PER_SAMPLE
        if samples > self.room:
            raise BufferError(f"{samples} samples do not fit: {self.room} of {self._capacity} are free")
        self._pcm += pcm[: samples * BYTES_PER_SAMPLE]

    def forget_before(self, sample: int) -> None:
        """Drop what is acked. Samples already dropped, or not yet recorded, are ignored."""
        drop = min(max(0, sample - self._start), self.end - self._start)
        del self._pcm[: drop * BYTES_PER_SAMPLE]
        self._start += drop

    def read(self, sample: int, max_samples: int) -> bytes:
        """PCM from `sample` on; audio that is no longer kept is replaced by silence, so time stays true."""
        if sample < self._start:
            return bytes(min(self._start - sample, max_samples) * BYTES_PER_SAMPLE)
        first = (sample - self._start) * BYTES_PER_SAMPLE
        return bytes(self._pcm[first : first + max_samples * BYTES_PER_SAMPLE])


@dataclass(slots=True)
class ResumeState:
    """One session as the client sees it, across all of its connections."""

    audio: UnackedAudio = field(default_factory=UnackedAudio)
    session_id: str = ""
    epoch: str = ""
    last_seq: int = -1
    acked: int = 0
    sent: int = 0
    source_ended: bool = False
    lost_samples: int = 0
    _last_of_kind: dict[str, int] = field(default_factory=dict)

    def query(self) -> dict[str, str]:
        """Query parameters that make the next connection continue this session; empty the first time."""
        if not self.session_id:
            return {}
        resume = {"session_id": self.session_id, "offset": str(self.acked)}
        if self.last_seq >= 0:
            resume["last_seq"] = str(self.last_seq)
        return resume

    def on_ready(self, session_id: str, epoch: str, *, resumed: bool, next_seq: int, offset: int) -> None:
        """Adopt what the server says: send again from `offset`; events restart where state was lost."""
        if self.session_id and not resumed:
            self.last_seq = next_seq - 1
            self._last_of_kind.clear()
        self.session_id, self.epoch = session_id, epoch
        self.lost_samples += max(0, self.audio.start - offset)
        self.audio.forget_before(offset)
        self.acked = max(self.acked, offset) if resumed else offset
        self.sent = offset

    def on_ack(self, offset: int) -> None:
        """Audio before `offset` is safe on the server; it need not be kept any more."""
        if offset > self.acked:
            self.acked = offset
            self.audio.forget_before(offset)

    def is_new(self, kind: str, seq: int | None) -> bool:
        """Whether this kind of event has not come with this seq yet; remembers it. No seq: always new."""
        if seq is None:
            return True
        if seq <= self._last_of_kind.get(kind, -1):
            return False
        self._last_of_kind[kind] = seq
        self.last_seq = max(self.last_seq, seq)
        return True

    def next_frame(self, max_samples: int) -> bytes:
        """The next PCM to send, empty if all recorded audio is sent; advances the send position."""
        pcm = self.audio.read(self.sent, max_samples) if self.sent < self.audio.end else b""
        self.sent += len(pcm) // BYTES_PER_SAMPLE
        return pcm

    @property
    def all_sent(self) -> bool:
        """Nothing more will come and everything recorded has been sent on this connection."""
        return self.source_ended and self.sent >= self.audio.end


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """Exponential back-off with full jitter, so that a herd of clients comes back spread out."""

    base_s: float = 0.25
    cap_s: float = 10.0
    give_up_after: int = 12
    """Consecutive failures without reaching `ready` after which the client stops trying."""
    give_up_unreached: int = 4
    """The same while no server has ever been reached: then the address is probably wrong."""

    def delay_s(self, failures: int, rng: Random, at_least_s: float = 0.0) -> float:
        """Seconds to wait before the next attempt after `failures` (>= 1) failures in a row."""
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 16))
        return at_least_s + rng.uniform(0.0, ceiling)
