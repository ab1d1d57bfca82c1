"""The session core: one session's whole state, as a pure machine.

It knows audio offsets, segments, results, hypotheses and events; it knows no wire format, no
Redis, no clock and no asyncio. Callers give it audio, commands and results, and carry out the
effects it returns, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from gateway.session.effects import Effect, Emit, Finish, Store
from gateway.session.events import AudioSafe, Flushed, Heard, Latency, Notice, SegmentFailed, SpeechChanged
from gateway.session.flights import Flights
from gateway.session.flush_mark import FlushMark
from gateway.session.identity import SessionIdentity
from gateway.session.interpreter import Interpreter
from gateway.session.lag import Lag
from gateway.session.options import encode_options
from gateway.session.reorder import ReorderBuffer
from gateway.session.segment_messages import dropped_message, segment_message
from gateway.session.segmenter import Position, Segmenter, Window
from gateway.session.snapshot import CoreSnapshot, Flight, encode_snapshot
from shared.audio.formats import SAMPLE_RATE
from shared.bus.ports import HighWater, SessionRecord
from shared.ids import Epoch
from shared.protocol.segments import LoggedResult, Segment, SegmentResult

_SAMPLES_PER_MS = SAMPLE_RATE // 1000

TOO_QUIET = Notice(
    "too_quiet", "the voice is too quiet to be judged; come closer to the microphone or turn it up"
)


@dataclass(frozen=True, slots=True)
class CorePolicy:
    """`max_queue`: segments in flight. `longest_window`: samples of one window cut from audio that was
    held back, 0: windows stay apart. `deadline_ms`: what a segment may take. `stores_audio`: whether
    stored audio can be read back on resume (else only audio that no later window needs is safe)."""

    max_queue: int = 3
    longest_window: int = 0
    deadline_ms: int = 20_000
    stores_audio: bool = True


class SessionCore:
    """See the module. `answered_until`: end of the audio that has its event, samples.
    `floor_seq`/`audio_start`: where this epoch's result log and audio begin."""

    def __init__(
        self,
        identity: SessionIdentity,
        epoch: Epoch,
        policy: CorePolicy,
        segmenter: Segmenter,
        order: ReorderBuffer,
        interpreter: Interpreter,
        *,
        answered_until: int = 0,
        flights: tuple[Flight, ...] = (),
        floor_seq: int = 0,
        audio_start: int = 0,
        generation: int = 0,
    ) -> None:
        self.identity = identity
        self.segmenter = segmenter
        self.order = order
        self.interpreter = interpreter
        self._answered_until = answered_until
        self._options = encode_options(identity.options)
        self._epoch = epoch
        self._policy = policy
        self._stored = segmenter.position
        self._flights = Flights(flights)
        self._unstored = 0
        self._held_back = False
        self._floor_seq = floor_seq
        self._audio_start = audio_start
        self._generation = generation
        self._finished = False
        self._flush = FlushMark()
        self._lag = Lag()

    # -- what it knows ---------------------------------------------------------------------------
    @property
    def epoch(self) -> Epoch:
        return self._epoch

    @property
    def applied_seq(self) -> int:
        """The seq of the last event about a segment, -1 before the first."""
        return self.order.next_seq - 1

    @property
    def high_water(self) -> HighWater:
        """How far the store has confirmed this session: one that is behind it has lost writes."""
        return HighWater(self.order.seen_top, self.safe_sample, self._stored.next_seq)

    @property
    def safe_sample(self) -> int:
        return self._safe(self._stored)

    @property
    def server_busy(self) -> bool:
        """A full window waits because too many segments are in flight."""
        return not self._may_cut() and self.segmenter.window_waiting

    @property
    def audio_complete(self) -> bool:
        """Whether the stored audio begins at the session's first sample."""
        return self._audio_start == 0

    @property
    def answered_until(self) -> int:
        """End of the audio that has its event, samples."""
        return self._answered_until

    @property
    def lag_samples(self) -> int:
        """Audio that came since the oldest window without an answer was complete."""
        return self._lag.samples(self.segmenter.received)

    @property
    def finished(self) -> bool:
        return self._finished

    def oldest_open(self) -> tuple[int, int] | None:
        """(seq, `now_ms` of its push) of the segment that waits longest for its result."""
        return self._flights.oldest_open()

    # -- what happens to it ------------------------------------------------------------------------
    def accept_audio(self, pcm: bytes) -> list[Effect]:
        """More PCM16 from the client, any number of bytes."""
        self.segmenter.feed(pcm)
        return self.advance() if self.segmenter.window_waiting else []

    def flush(self) -> list[Effect]:
        """Decode what is there without waiting for a full window; `Flushed` says when all of it has its
        events."""
        self.segmenter.flush()
        self._flush.ask()
        return self.advance()

    def end(self) -> list[Effect]:
        """The client sends no more audio; the rest is decoded, then comes the final report."""
        self.segmenter.end()
        return self.advance()

    def stored(self, window: Window, now_ms: int) -> list[Effect]:
        """The bus has taken this window."""
        self._unstored -= 1
        self._stored = window.after
        if window.seq is not None:
            self._flights.pushed(window.seq, now_ms)
        safe: list[Effect] = [Emit(AudioSafe(self.safe_sample))]
        return safe + self.advance()

    def apply(self, logged: LoggedResult, now_ms: int) -> list[Effect]:
        """A result, from wherever; duplicates and those of another epoch change nothing."""
        if logged.result.epoch != self._epoch:
            return []
        busy = self.server_busy
        self._flights.answered(logged.result.seq)
        self._lag.answered(logged.result.seq)
        effects: list[Effect] = []
        for result in self.order.accept(logged):
            effects.append(Emit(self._interpret(result, self._latency(result, now_ms), busy)))
            self._flights.told(result.seq)
        return effects + self.advance()

    def note_speech(self, probabilities: Sequence[float]) -> list[Effect]:
        """How probably each next frame of the speech detector is speech."""
        changes = self.segmenter.note_speech(probabilities)
        told: list[Effect] = [Emit(SpeechChanged(change.speaking, change.sample)) for change in changes]
        return told + (self.advance() if self.segmenter.window_waiting else [])

    def advance(self) -> list[Effect]:
        """Cut what may be cut; say when all is done. Harmless to call at any time."""
        effects: list[Effect] = []
        longest = self._policy.longest_window if self._held_back else 0
        while self._may_cut() and (window := self.segmenter.cut(longest)):
            self._unstored += 1
            self._lag.cut(window.seq, self.segmenter.received)
            if window.seq is not None:
                self._flights.cut(window.seq, window)
            effects.append(Store(window))
            if window.too_quiet:
                effects.append(Emit(TOO_QUIET))
        self._held_back = self.server_busy
        if self._held_back:
            self._lag.hold(self.segmenter.received)
        if self._flush.is_done(self.segmenter, min(self._stored.next_seq, self.order.next_seq)):
            effects.append(Emit(Flushed()))
        stored = self._stored
        if stored.ended and self.order.next_seq == stored.next_seq and not self._finished:
            self._finished = True
            effects.append(Finish())
        return effects

    def resumed(self, now_ms: int) -> None:
        """Segments that an earlier connection pushed are waited for from now on."""
        for seq in self._flights.open_seqs:
            self._flights.pushed(seq, now_ms)
            self._lag.cut(seq, self.segmenter.received)

    def change_epoch(self, epoch: Epoch) -> list[SegmentResult]:
        """Redis lost the session: go on from memory under a new epoch.

        Returns what must be settled in the new log: results that waited for their turn, and a
        `dropped` for every segment that was pushed and is not answered.
        """
        first, end = self.order.next_seq, self._stored.next_seq
        settled = [
            msgspec.structs.replace(self.order.held(seq) or self.dropped(seq, "state_lost"), epoch=epoch)
            for seq in range(first, end)
        ]
        self._epoch = epoch
        self._generation += 1
        self.order.start_new_log(first)
        self._flights.reopen(range(first, end))
        self._floor_seq = first
        self._audio_start = self._stored.cut
        return settled

    def release(self) -> None:
        """Give back what is large when nobody drives the session any more; it cannot be used afterwards.

        An ended connection should leave no circles behind; if one way of ending does, what is heavy must not
        wait for the collector, whose full runs stall a gateway of a thousand sessions and so come rarely.
        """
        del self.segmenter, self.order, self.interpreter

    # -- what the driver writes --------------------------------------------------------------------
    def dropped(self, seq: int, code: str) -> SegmentResult:
        """The explicit end of a segment whose result does not come."""
        flight = self._flights.get(seq) or Flight(seq, 0, 0)
        return dropped_message(self.identity, self._epoch, flight, code)

    def segment(self, window: Window, wall_ms: int) -> Segment | None:
        """The bus message of a window, None if it is only stored. `wall_ms`: other machines read it."""
        if window.seq is None:
            return None
        return segment_message(self.identity, self._epoch, window, wall_ms, self._policy.deadline_ms)

    def record(self, window: Window | None = None) -> SessionRecord:
        """The session as another gateway could pick it up, once `window` (if any) is stored."""
        position = window.after if window else self._stored
        snapshot = CoreSnapshot(
            position=position,
            flights=self._flights.saved(position.next_seq),
            log_offset=self.order.replay_from,
            answered_until=self._answered_until,
            floor_seq=self._floor_seq,
            audio_start=self._audio_start,
            interpreter=self.interpreter.snapshot(),
        )
        return SessionRecord(
            session_id=self.identity.session_id,
            connection_id=self.identity.connection_id,
            epoch=self._epoch,
            protocol=self.identity.protocol,
            subject=self.identity.subject,
            pool=self.identity.pool,
            created_ms=self.identity.created_ms,
            tenant=self.identity.tenant,
            safe_sample=self._safe(position),
            next_seq=position.next_seq,
            core=encode_snapshot(snapshot),
            core_seq=self.applied_seq,
            ended=position.ended,
            options=self._options,
            generation=self._generation,
        )

    # -- inside ------------------------------------------------------------------------------------
    def _interpret(self, result: SegmentResult, latency: Latency, server_busy: bool) -> Heard | SegmentFailed:
        """The event of the next result in order."""
        interpreter = self.interpreter
        self._answered_until = max(self._answered_until, result.start_sample + result.samples)
        last = result.seq == self.segmenter.position.final_seq
        if result.outcome == "result":
            finding = interpreter.hear(result)
            if last:
                finding = interpreter.finish()
            self.segmenter.confirm(interpreter.confirmed)
            return Heard(result.seq, finding, latency, server_busy)
        left = interpreter.miss(result)
        self.segmenter.confirm(interpreter.confirmed)
        return SegmentFailed(result.seq, result.outcome, result.code, result.message, left)

    def _may_cut(self) -> bool:
        return self._flights.open_count < self._policy.max_queue and self._unstored < self._policy.max_queue

    def _safe(self, position: Position) -> int:
        return position.cut if self._policy.stores_audio else position.next_start

    def _latency(self, result: SegmentResult, now_ms: int) -> Latency:
        timings = result.timings
        flight = self._flights.get(result.seq)
        live = flight is not None and flight.pushed_ms > 0
        stages = timings.queued_ms + timings.batch_ms + timings.inference_ms
        total_ms = max(now_ms - flight.pushed_ms, 0) if flight and live else stages
        return Latency(
            result.samples // _SAMPLES_PER_MS, timings.queued_ms, timings.inference_ms, total_ms, live
        )
