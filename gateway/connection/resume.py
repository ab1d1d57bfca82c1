"""How a session begins: new, resumed from Redis by whichever gateway the client came to, or restarted.

A resume is proved complete (same epoch, every result present) or refused: then the session goes on
under a new epoch with `resumed: false` and the audio whose results are lost is stated.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gateway.dependencies import GatewayPorts
from gateway.interpreters.recitation import RecitationInterpreter
from gateway.session.core import CorePolicy, SessionCore, SessionIdentity
from gateway.session.effects import Effect, Emit
from gateway.session.events import Gap, Heard, Opened, SegmentFailed
from gateway.session.fixed_windows import FixedWindows, Position, WindowPolicy
from gateway.session.reorder import ReorderBuffer
from gateway.session.snapshot import CoreSnapshot, decode_snapshot
from shared.bus.ports import SessionKind, SessionRecord
from shared.errors import BadRequest, StateLost
from shared.ids import ConnectionId, PoolName, SessionId, new_epoch
from shared.protocol.segments import SAMPLE_RATE
from shared.recitation.grading.policy import DEFAULT
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import Passage


class SessionRequest(msgspec.Struct, frozen=True):
    """What a client asks for. `last_seq`, `offset`: the last event and the acked sample it has seen;
    `named`: the client chose the session, which may hold a lease already."""

    protocol: str
    passage: Passage
    session_id: SessionId
    tenant: str = ""
    last_seq: int | None = None
    offset: int | None = None
    window_s: float | None = None
    named: bool = True

    @property
    def seen_seq(self) -> int:
        return -1 if self.last_seq is None else self.last_seq

    @property
    def claims_progress(self) -> bool:
        """Whether the client says that it has been here before."""
        return self.last_seq is not None or bool(self.offset)


@dataclass(frozen=True, slots=True)
class Opening:
    """An open session, the event that says so, and what is to be done first (replays)."""

    core: SessionCore
    opened: Opened
    effects: list[Effect]


class PassageMismatch(BadRequest):
    """The session belongs to another passage or protocol than the one asked for."""

    code = "passage_mismatch"


class SessionOpener:
    """Opens one session for one connection that is already subscribed to its results."""

    def __init__(self, ports: GatewayPorts, request: SessionRequest, connection_id: ConnectionId) -> None:
        self._ports = ports
        self._request = request
        self._connection_id = connection_id

    async def open(self, pool: PoolName) -> Opening:
        """`pool`: where a new session's segments go. Raises `BusUnavailable`, `PassageMismatch`."""
        request = self._request
        kind = SessionKind(request.protocol, str(request.passage.range), request.tenant)
        record = await self._ports.store.take_over(request.session_id, self._connection_id, kind)
        if record is None:
            return await self._restart(pool, None, None)
        if kind != (record.protocol, record.passage, record.tenant):
            raise PassageMismatch(
                f"session {record.session_id} is a {record.protocol} of {record.passage}; "
                "resume it with the same verses and key, or start a new session"
            )
        snapshot: CoreSnapshot | None = None
        try:
            snapshot = decode_snapshot(record.core)
            return await self._resume(record, snapshot)
        except StateLost:
            return await self._restart(pool, record, snapshot)

    # -- resume --------------------------------------------------------------------------------------
    async def _resume(self, record: SessionRecord, snapshot: CoreSnapshot) -> Opening:
        """Raises `StateLost` if the resume cannot be proved complete."""
        request = self._request
        if request.seen_seq >= record.next_seq or (request.offset or 0) > record.safe_sample:
            raise StateLost("the client has seen more than Redis remembers")
        core = await self._restore(record, snapshot)
        page = await self._ports.store.results_after(record.session_id, record.epoch, core.order.log_top)
        if not page.complete:
            raise StateLost("the result log has a hole")
        now_ms = int(self._ports.clock.monotonic() * 1000)
        effects: list[Effect] = []
        for logged in page.results:
            effects += core.apply(logged, now_ms)
        if core.applied_seq < max(record.core_seq, request.seen_seq):
            raise StateLost("the result log does not reach back far enough")
        core.resumed(now_ms)
        opened = self._opened(core, resumed=True, next_seq=request.seen_seq + 1, gap=None)
        unseen = [effect for effect in effects if not _seen(effect, request.seen_seq)]
        return Opening(core, opened, unseen + core.advance())

    async def _restore(self, record: SessionRecord, snapshot: CoreSnapshot) -> SessionCore:
        """The core as of `record.core_seq`, or as of the beginning if the client saw less."""
        position = snapshot.position
        passage = self._request.passage
        if record.core_seq <= self._request.seen_seq:
            order = ReorderBuffer(record.core_seq + 1, snapshot.log_offset)
            progress = _restored(passage, snapshot)
        elif snapshot.floor_seq == 0:
            order, progress = ReorderBuffer(), RecitationInterpreter(Follower(passage))
        else:
            raise StateLost("events the client has not seen belong to a log that is gone")
        return SessionCore(
            self._identity(record.pool, record.created_ms),
            record.epoch,
            self._core_policy(),
            await self._intake(record.session_id, position),
            order,
            progress,
            flights=snapshot.flights,
            floor_seq=snapshot.floor_seq,
            audio_start=snapshot.audio_start,
        )

    async def _intake(self, session_id: SessionId, position: Position) -> FixedWindows:
        """With the stored audio that the next window shares with the last one.

        Without stored audio the client sends it again; if it should be there but is not, the next
        window begins where the last one ended.
        """
        policy = self._intake_policy()
        if position.next_start == position.cut or not self._core_policy().stores_audio:
            return FixedWindows(position, policy)
        chunk = await self._ports.store.audio_from(session_id, position.next_start)
        pcm = chunk.pcm[: (position.cut - position.next_start) * 2]
        if chunk.start_sample == position.next_start and len(pcm) == (position.cut - position.next_start) * 2:
            return FixedWindows(position, policy, pcm)
        return FixedWindows(msgspec.structs.replace(position, next_start=position.cut), policy)

    # -- new, or refused ---------------------------------------------------------------------------
    async def _restart(
        self, pool: PoolName, record: SessionRecord | None, snapshot: CoreSnapshot | None
    ) -> Opening:
        """A new epoch. What was judged before is kept where it is known, its gap is stated."""
        request = self._request
        progress = self._progress_so_far(snapshot)
        safe = record.safe_sample if record else 0
        start = max(safe if request.offset is None else request.offset, progress.heard_until)
        position = Position(
            window=self._window(snapshot),
            overlap=int(self._ports.settings.overlap_s * SAMPLE_RATE),
            next_start=start,
            cut=start,
            next_seq=max(record.next_seq if record else 0, request.seen_seq + 1),
        )
        core = SessionCore(
            self._identity(pool, record.created_ms if record else self._ports.clock.wall_ms()),
            new_epoch(),
            self._core_policy(),
            FixedWindows(position, self._intake_policy()),
            ReorderBuffer(position.next_seq),
            progress,
            floor_seq=position.next_seq,
            audio_start=start,
        )
        await self._ports.store.open(core.record())
        lost = record is not None or request.claims_progress
        gap = Gap(progress.heard_until, start) if lost else None
        if lost:
            self._ports.metrics.state_lost.inc()
        opened = self._opened(core, resumed=False, next_seq=position.next_seq, gap=gap)
        return Opening(core, opened, [])

    def _progress_so_far(self, snapshot: CoreSnapshot | None) -> RecitationInterpreter:
        passage = self._request.passage
        if snapshot is None:
            return RecitationInterpreter(Follower(passage))
        try:
            return _restored(passage, snapshot)
        except StateLost:
            return RecitationInterpreter(Follower(passage))

    def _window(self, snapshot: CoreSnapshot | None) -> int:
        if snapshot is not None:
            return snapshot.position.window
        return int((self._request.window_s or self._ports.adaptive.window_s) * SAMPLE_RATE)

    # -- both ----------------------------------------------------------------------------------------
    def _opened(self, core: SessionCore, *, resumed: bool, next_seq: int, gap: Gap | None) -> Opened:
        self._ports.metrics.sessions.labels("resumed" if resumed else "lost" if gap else "new").inc()
        return Opened(
            session_id=core.identity.session_id,
            connection_id=self._connection_id,
            epoch=core.epoch,
            passage=self._request.passage,
            window_s=core.intake.position.window / SAMPLE_RATE,
            resumed=resumed,
            next_seq=next_seq,
            offset=core.intake.received,
            gap=gap,
        )

    def _identity(self, pool: PoolName, created_ms: int) -> SessionIdentity:
        return SessionIdentity(
            session_id=self._request.session_id,
            connection_id=self._connection_id,
            protocol=self._request.protocol,
            passage=str(self._request.passage.range),
            pool=pool,
            tenant=self._request.tenant,
            created_ms=created_ms,
        )

    def _core_policy(self) -> CorePolicy:
        settings = self._ports.settings
        return CorePolicy(
            max_queue=settings.max_queue,
            longest_window=int(settings.window_max_s * SAMPLE_RATE) if settings.coalesce else 0,
            deadline_ms=int(settings.segment_deadline_s * 1000),
            stores_audio=settings.store_audio != "off",
        )

    def _intake_policy(self) -> WindowPolicy:
        settings = self._ports.settings
        return WindowPolicy(settings.silence_dbfs, int(settings.min_rest_s * SAMPLE_RATE))


def _seen(effect: Effect, seen_seq: int) -> bool:
    """Whether the client has had this event already."""
    if not isinstance(effect, Emit) or not isinstance(effect.event, Heard | SegmentFailed):
        return False
    return effect.event.seq <= seen_seq


def _restored(passage: Passage, snapshot: CoreSnapshot) -> RecitationInterpreter:
    try:
        follower = Follower.restore(passage, DEFAULT, snapshot.walk)
    except BadRequest as error:
        raise StateLost(f"the saved state of the words cannot be read ({error.message})") from error
    return RecitationInterpreter(follower, snapshot.heard_until)
