"""How a session begins: new, resumed from Redis by whichever gateway the client came to, or restarted.

A resume is proved complete (same epoch, every result present) or refused: then the session goes on
under a new epoch with `resumed: false` and the audio whose results are lost is stated.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.session.core import CorePolicy, SessionCore
from gateway.session.effects import Effect, Emit
from gateway.session.events import Gap, Heard, Opened, SegmentFailed
from gateway.session.identity import SessionIdentity
from gateway.session.interpreter import Interpreter
from gateway.session.options import SessionOptions, decode_options
from gateway.session.reorder import ReorderBuffer
from gateway.session.segmenter import Position, Segmenter
from gateway.session.snapshot import CoreSnapshot, decode_snapshot
from gateway.settings import GatewaySettings
from shared.audio.formats import SAMPLE_RATE
from shared.bus.ports import AlreadyOpen, AudioChunk, SessionKind, SessionRecord
from shared.errors import BadRequest, BusUnavailable, StateLost
from shared.ids import ConnectionId, PoolName, SessionId, new_epoch
from shared.protocol.segments import SegmentResult


@dataclass(frozen=True, slots=True)
class Opening:
    """An open session, the event that says so, and what is to be done first (replays). `traced`: those of the
    results whose events the client has not seen that belong to a trace."""

    core: SessionCore
    opened: Opened
    effects: list[Effect]
    traced: tuple[SegmentResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """What there was under a session's id: nothing, a session (`record`), or one that cannot be read."""

    record: SessionRecord | None
    exists: bool


NOTHING_STORED = Stored(None, exists=False)

_MAX_TRIES = 3
"""Tries to create a session that others create, too, or to take it over from them."""


class SessionOpener:
    """Opens one session for one connection that is already subscribed to its results."""

    def __init__(self, ports: GatewayPorts, request: SessionRequest, connection_id: ConnectionId) -> None:
        self._ports = ports
        self._request = request
        self._connection_id = connection_id
        self._ticket = 0

    async def take_over(self) -> Stored:
        """Make the session that the client names this connection's own, if there is one.

        Raises `BusUnavailable`, `BadRequest` for a claim that no session can meet, the plan's `mismatch`
        for a session of another kind, `Fenced` if a connection that came later has it. Whoever owns the
        session notices none of these.
        """
        request, store = self._request, self._ports.store
        check_claims(request, self._ports.settings)
        kind = SessionKind(request.protocol, request.plan.subject, request.tenant)
        self._ticket = await store.ticket(request.session_id)
        try:
            record = await store.take_over(request.session_id, self._connection_id, kind, self._ticket)
        except StateLost:
            # Written by a build that this one cannot read: as good as lost.
            return Stored(None, exists=True)
        if record is not None and kind != (record.protocol, record.subject, record.tenant):
            raise request.plan.mismatch()
        return Stored(record, exists=record is not None)

    async def open(self, pool: PoolName, stored: Stored) -> Opening:
        """`stored`: what `take_over` gave; `pool`: where a new session's segments go.

        Raises what `take_over` does.
        """
        for _ in range(_MAX_TRIES):
            if stored.record is not None:
                return await self._continue(pool, stored.record)
            try:
                return await self._restart(pool, None, None, stored=stored.exists)
            except AlreadyOpen:
                # One of several who came with an id that nobody knew was first: take over from it.
                stored = await self.take_over()
        raise BusUnavailable("this session is opened and ended again and again; reconnect")

    async def _continue(self, pool: PoolName, record: SessionRecord) -> Opening:
        """With a session that was stored."""
        snapshot: CoreSnapshot | None = None
        try:
            snapshot = decode_snapshot(record.core)
            return await self._resume(record, snapshot)
        except StateLost:
            return await self._restart(pool, record, snapshot, stored=True)

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
        results = (logged.result for logged in page.results if logged.result.seq > request.seen_seq)
        traced = tuple(result for result in results if result.traceparent)
        return Opening(core, opened, unseen + core.advance(), traced)

    async def _restore(self, record: SessionRecord, snapshot: CoreSnapshot) -> SessionCore:
        """The core as of `record.core_seq`, or as of the beginning if the client saw less."""
        plan = self._request.plan
        if record.core_seq <= self._request.seen_seq:
            order = ReorderBuffer(record.core_seq + 1, snapshot.log_offset)
            interpreter, answered_until = plan.restored(snapshot.interpreter), snapshot.answered_until
        elif snapshot.floor_seq == 0:
            order, interpreter, answered_until = ReorderBuffer(), plan.interpreter(), 0
        else:
            raise StateLost("events the client has not seen belong to a log that is gone")
        return SessionCore(
            self._identity(record.pool, record.created_ms, decode_options(record.options)),
            record.epoch,
            self._core_policy(),
            await self._segmenter(record.session_id, snapshot.position),
            order,
            interpreter,
            answered_until=answered_until,
            flights=snapshot.flights,
            floor_seq=snapshot.floor_seq,
            audio_start=snapshot.audio_start,
            generation=record.generation,
        )

    async def _segmenter(self, session_id: SessionId, position: Position) -> Segmenter:
        """With the stored audio that the next window shares with the last one.

        Without stored audio the client sends it again; if it should be there but is not, the next
        window begins where the last one ended.
        """
        plan, kept = self._request.plan, position.cut - position.next_start
        if kept == 0 or not self._core_policy().stores_audio:
            return plan.segmenter(position)
        stretches = await self._ports.store.audio_from(session_id, position.next_start)
        first = stretches[0] if stretches else AudioChunk(position.cut, b"")
        if first.start_sample == position.next_start and len(first.pcm) >= kept * 2:
            return plan.segmenter(position, first.pcm[: kept * 2])
        return plan.segmenter(msgspec.structs.replace(position, next_start=position.cut))

    # -- new, or refused ---------------------------------------------------------------------------
    async def _restart(
        self,
        pool: PoolName,
        record: SessionRecord | None,
        snapshot: CoreSnapshot | None,
        *,
        stored: bool,
    ) -> Opening:
        """A new epoch. What was judged before is kept where it is known, its gap is stated.

        `stored`: something is, and it is this connection's to replace. Raises `AlreadyOpen`, `Fenced`.
        """
        request = self._request
        interpreter, answered_until = self._interpreter_so_far(snapshot)
        safe = record.safe_sample if record else 0
        start = max(safe if request.offset is None else request.offset, answered_until)
        first = snapshot.position if snapshot else request.plan.first_position(pool)
        position = Position(
            first.window,
            first.overlap,
            next_start=start,
            cut=start,
            next_seq=max(record.next_seq if record else 0, request.seen_seq + 1),
        )
        created_ms = record.created_ms if record else self._ports.clock.wall_ms()
        core = SessionCore(
            self._identity(pool, created_ms, request.options),
            new_epoch(),
            self._core_policy(),
            request.plan.segmenter(position),
            ReorderBuffer(position.next_seq),
            interpreter,
            answered_until=answered_until,
            floor_seq=position.next_seq,
            audio_start=start,
            generation=self._ticket + stored,
        )
        await (self._ports.store.reopen if stored else self._ports.store.open)(core.record())
        lost = stored or request.claims_progress
        gap = Gap(answered_until, start) if lost else None
        if lost:
            interpreter.lose(answered_until, start)
            self._ports.metrics.state_lost.inc()
        opened = self._opened(core, resumed=False, next_seq=position.next_seq, gap=gap)
        return Opening(core, opened, [])

    def _interpreter_so_far(self, snapshot: CoreSnapshot | None) -> tuple[Interpreter, int]:
        """What was made of the results before, and up to which sample; a new one if that cannot be read."""
        plan = self._request.plan
        if snapshot is None:
            return plan.interpreter(), 0
        try:
            return plan.restored(snapshot.interpreter), snapshot.answered_until
        except StateLost:
            return plan.interpreter(), 0

    # -- both ----------------------------------------------------------------------------------------
    def _opened(self, core: SessionCore, *, resumed: bool, next_seq: int, gap: Gap | None) -> Opened:
        how = "resumed" if resumed else "lost" if gap else "new"
        self._ports.metrics.sessions.labels(how).inc()
        if how == "new":
            self._ports.usage.count(self._request.tenant, core.identity.pool, sessions=1)
        return Opened(
            session_id=core.identity.session_id,
            connection_id=self._connection_id,
            epoch=core.epoch,
            window_s=core.segmenter.position.window / SAMPLE_RATE,
            resumed=resumed,
            next_seq=next_seq,
            offset=core.segmenter.received,
            gap=gap,
            longest_s=self._ports.settings.session_limit_s,
            model=self._ports.models.model_of(core.identity.pool),
            lowered=self._lowered() if how == "new" else (),
        )

    def _lowered(self) -> tuple[str, ...]:
        lowered = self._request.lowered
        for step in lowered:
            self._ports.metrics.lowered_sessions.labels(step).inc()
        return lowered

    def _identity(self, pool: PoolName, created_ms: int, options: SessionOptions) -> SessionIdentity:
        return SessionIdentity(
            session_id=self._request.session_id,
            connection_id=self._connection_id,
            protocol=self._request.protocol,
            subject=self._request.plan.subject,
            pool=pool,
            tenant=self._request.tenant,
            created_ms=created_ms,
            options=options,
        )

    def _core_policy(self) -> CorePolicy:
        settings = self._ports.settings
        return CorePolicy(
            max_queue=self._request.plan.max_in_flight or settings.max_queue,
            longest_window=int(settings.window_max_s * SAMPLE_RATE) if settings.coalesce else 0,
            deadline_ms=int(settings.segment_deadline_s * 1000),
            stores_audio=settings.store_audio != "off",
        )


def check_claims(request: SessionRequest, settings: GatewaySettings) -> None:
    """Raises `BadRequest` if the client says it has seen more than the longest session has.

    Taken seriously, such a claim would mean that all which is stored has been lost.
    """
    # Both with something to spare: the last frame may pass the limit, a flush cuts windows early.
    most_samples = int((settings.max_session_s + 60) * SAMPLE_RATE)
    most_seq = 1000 + int(2 * settings.max_session_s / (settings.window_min_s - settings.overlap_s))
    if request.seen_seq > most_seq:
        raise BadRequest(f"last_seq is more than a session can have ({most_seq}); send the last event's seq")
    if (request.offset or 0) > most_samples:
        raise BadRequest(f"offset is more than a session can have ({most_samples} samples)")


def _seen(effect: Effect, seen_seq: int) -> bool:
    """Whether the client has had this event already."""
    if not isinstance(effect, Emit) or not isinstance(effect.event, Heard | SegmentFailed):
        return False
    return effect.event.seq <= seen_seq
