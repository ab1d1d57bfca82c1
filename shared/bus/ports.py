"""What services need from the bus. Implemented in memory and on Redis, one contract test for both.

All methods raise `BusUnavailable` when the backing store cannot be reached; none retries a write
by itself, since a repeated write is the caller's decision (commits are idempotent, pushes are not).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from shared.ids import ConnectionId, Epoch, PoolName, SessionId
from shared.protocol.segments import LoggedResult, Segment, SegmentResult, Takeover


class CommitOutcome(NamedTuple):
    """`committed` False: a result for the same (session, seq) was first (`offset` is then its place
    in the log), or the session is gone (`offset` 0); the segment left the stream all the same."""

    committed: bool
    offset: int


class SessionRecord(msgspec.Struct, frozen=True):
    """A session as any gateway can pick it up. Samples count from the start of the session.

    `subject`: what the session is about, in the words of its protocol. `options`: what the client asked
    for (opaque here). `safe_sample`: audio before it is stored and will be answered. `core`: the session
    core's own snapshot (opaque here), taken when the event of `core_seq` had been produced. `generation`: the
    ticket with which its owner took it, counted up by one with each loss of state; the highest one owns it.

    Within an epoch only the owner (`connection_id`, `generation`) and the progress (`safe_sample`,
    `next_seq`, `core`, `core_seq`, `ended`) change: a push writes no more than these.
    """

    session_id: SessionId
    connection_id: ConnectionId
    epoch: Epoch
    protocol: str
    subject: str
    pool: PoolName
    created_ms: int
    tenant: str = ""
    safe_sample: int = 0
    next_seq: int = 0
    core: bytes = b""
    core_seq: int = -1
    ended: bool = False
    options: bytes = b""
    v: int = 1
    generation: int = 0


class Deleted(NamedTuple):
    """What a deleted session was: its last epoch, and the connection that owned it."""

    epoch: Epoch
    owner: ConnectionId


class HighWater(NamedTuple):
    """How far a session is confirmed to have come: the newest result, stored audio, the segments pushed.

    A store that is behind it has lost writes (an old snapshot was loaded, a lagging replica promoted):
    what is missing will never come, so it answers `StateLost`.
    """

    top: int = 0
    safe_sample: int = 0
    next_seq: int = 0


UNSEEN = HighWater()


class AlreadyOpen(Exception):
    """Another connection has opened a session under this id meanwhile: take it over."""


class AudioChunk(NamedTuple):
    """Consecutive PCM16 mono samples of a session, starting at `start_sample`.

    `flac`: the same samples as `shared.audio.flac` gives them, if the caller has them anyway.
    """

    start_sample: int
    pcm: bytes
    flac: bytes = b""


class ResultPage(NamedTuple):
    """A stretch of the result log.

    `complete` is proved: same epoch, no hole after `after`, and not behind what the reader has seen.
    """

    epoch: Epoch
    top: int
    results: tuple[LoggedResult, ...]
    complete: bool


TAKE_OVER_S = 4.0
"""How long after its ticket was drawn a take-over is still wanted, seconds. Less than a gateway waits for
the reply (`ConnectionLimits.reply_s` for each of two calls), so whoever gave up can take nothing any more."""


class SessionKind(NamedTuple):
    """What a session is, and stays: only the same kind of request may take it over."""

    protocol: str
    subject: str
    tenant: str


class SessionStore(Protocol):
    """Session state, its audio and its result log; every write is fenced by connection and epoch."""

    async def ticket(self, session_id: SessionId) -> int:
        """A place in the order in which connections ask for a session: µs of the store's clock, and higher
        than the `generation` of whoever owns the session now."""
        ...

    async def open(self, record: SessionRecord) -> None:
        """Create the session, with an empty log and no audio. Opening it twice is opening it once.

        Raises `AlreadyOpen`, and changes nothing, if another connection has a session under its id.
        """
        ...

    async def reopen(self, record: SessionRecord) -> None:
        """Go on with a session whose stored state is lost: under a new epoch, with an empty log and no audio.

        Another connection that owned the id gets a `Takeover`. Raises `Fenced`, and changes nothing, if the
        session belongs to a higher generation than the record's.
        """
        ...

    async def take_over(
        self,
        session_id: SessionId,
        connection_id: ConnectionId,
        kind: SessionKind | None = None,
        ticket: int | None = None,
    ) -> SessionRecord | None:
        """Make `connection_id` the owner and tell the old owner (`Takeover`). None: the session is unknown.

        `ticket`: when it was asked for; None draws one now. Raises `Fenced` if somebody who asked later owns
        the session already, and `BusUnavailable` if the call reaches the store `TAKE_OVER_S` after the ticket
        was drawn: its client is served elsewhere by then.
        A session of another kind than `kind` is left to its owner: the record comes back unchanged.
        Raises `StateLost` if the session was stored by a version that this one cannot read; it is owned then.
        """
        ...

    async def push(
        self,
        record: SessionRecord,
        segment: Segment | None,
        audio: AudioChunk | None,
        seen: HighWater = UNSEEN,
    ) -> None:
        """Save the record, append the audio and queue the segment as one step; renew the TTL.

        Audio with which the segment's own bytes end travels once. When it returns, audio before
        `record.safe_sample` is safe. Without a segment it is a plain
        save. It may be repeated: a segment whose (session, seq) already has a result is not queued
        again, audio that is already stored is not stored twice, and one that arrives late, after a
        push that went further, does not take the record back. Raises `Fenced` if another
        connection owns the session, `StateLost` if the session or its epoch is gone or the store is behind
        `seen`, `QueueFull` if the pool's stream is at its bound (nothing is written).
        """
        ...

    async def settle(self, result: SegmentResult) -> CommitOutcome:
        """Log and publish an outcome without a claim, e.g. `dropped` for a result that never came.

        As idempotent as a worker's commit: whichever outcome of (session, seq) is first stands.
        """
        ...

    async def results_after(
        self, session_id: SessionId, epoch: Epoch, after: int, seen: HighWater = UNSEEN
    ) -> ResultPage:
        """Results with offset > `after`, in order; `complete` is False if any could not be proved."""
        ...

    async def audio_from(self, session_id: SessionId, sample: int) -> tuple[AudioChunk, ...]:
        """The stored audio from `sample` on, one chunk for each stretch without a hole, in order.

        A hole is audio that was lost, never silence: silence is stored, too.
        """
        ...

    async def close(self, session_id: SessionId, connection_id: ConnectionId, keep_s: int = 0) -> None:
        """Forget the session `keep_s` seconds from now (only its owner can).

        Until then it can be taken over, for a client that missed the last event.
        """
        ...

    async def delete(self, session_id: SessionId, tenant: str) -> Deleted | None:
        """Forget the session now, whoever owns it; the owner gets a `Takeover`.

        None: this tenant has no such session.
        """
        ...

    async def ping(self) -> int:
        """How many shards do not answer. Raises `BusUnavailable` if none does."""
        ...


class ResultSink(Protocol):
    """Where a feed delivers. Called on the event loop; must not block and must not raise."""

    def on_result(self, logged: LoggedResult) -> None: ...

    def on_takeover(self, takeover: Takeover) -> None: ...

    def on_gap(self) -> None:
        """The feed was interrupted (reconnect): results may be missing, read the log."""
        ...


class ResultFeed(Protocol):
    """Live results of this process's connections: one subscriber per shard, many channels."""

    async def subscribe(self, session_id: SessionId, connection_id: ConnectionId, sink: ResultSink) -> None:
        """Returns when the subscription is active on the session's shard."""
        ...

    async def unsubscribe(self, session_id: SessionId, connection_id: ConnectionId) -> None: ...

    async def close(self) -> None: ...


class Claim(NamedTuple):
    """A segment taken from the stream by this worker. `deliveries` is 1 the first time."""

    shard: int
    entry_id: str
    deliveries: int
    segment: Segment


class ClaimState(NamedTuple):
    """`wanted`: somebody still waits for the result. `age_ms`: since the push, by the store's clock."""

    wanted: bool
    age_ms: int


class WorkQueue(Protocol):
    """The worker's side of a pool's segment streams, all shards. One object per worker process."""

    async def start(self) -> None:
        """Create groups where missing; entries already pending for this consumer come first."""
        ...

    async def claim(self, shard: int, max_items: int, block_ms: int) -> list[Claim]:
        """Up to `max_items` new segments of one shard; waits up to `block_ms` (0: does not wait).

        Should not be cancelled: what was delivered unseen comes again with the next call, later.
        """
        ...

    async def reclaim(self, shard: int, min_idle_ms: int, max_items: int) -> list[Claim]:
        """Segments whose worker has not finished them for `min_idle_ms` (it probably died)."""
        ...

    async def commit(self, finished: Sequence[tuple[Claim, SegmentResult]]) -> list[CommitOutcome]:
        """Per item: append the result once, publish it, then ack and delete the segment."""
        ...

    async def look_up(self, claims: Sequence[Claim]) -> list[ClaimState]:
        """How each claim stands: one whose session gave it up, or lost its state, need not be decoded."""
        ...

    async def bury(self, claim: Claim, reason: str) -> None:
        """Record a poison segment in `asr:dead` (the caller commits its `dropped` result)."""
        ...

    async def refresh(self, claims: Sequence[Claim]) -> None:
        """Reset the idle time of segments still in work, so that nobody reclaims them."""
        ...

    async def depth(self) -> int:
        """Segments waiting or in work, all shards."""
        ...

    async def oldest_age_ms(self) -> int:
        """Age of the oldest segment in the streams, 0 when empty."""
        ...

    async def close(self) -> None:
        """Leave the groups (only where nothing is pending) and disconnect."""
        ...

    @property
    def shards(self) -> int: ...
