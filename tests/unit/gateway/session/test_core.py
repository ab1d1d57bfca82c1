"""The session core by itself: no loop, no bus, no wire."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.interpreters.recitation.interpreter import RecitationInterpreter
from gateway.session.core import CorePolicy, SessionCore
from gateway.session.effects import Effect, Emit, Finish, Store
from gateway.session.events import AudioSafe, Event, Flushed, Heard, SegmentFailed
from gateway.session.fixed_windows import FixedWindows
from gateway.session.identity import SessionIdentity
from gateway.session.reorder import ReorderBuffer
from gateway.session.segmenter import Position, Window, WindowPolicy
from gateway.session.snapshot import decode_snapshot
from shared.audio.formats import SAMPLE_RATE
from shared.bus.ports import SessionRecord
from shared.ids import ConnectionId, Epoch, PoolName, SessionId
from shared.protocol.segments import LoggedResult, SegmentResult
from shared.recitation.grading.policy import DEFAULT
from shared.recitation.live.follower import Follower
from tests.unit.gateway.speech import FATIHA, listen, recite

IDENTITY = SessionIdentity(
    SessionId("session-1"), ConnectionId("c1"), "recite", "1:1-7", PoolName("default"), "", 1
)
WINDOW, OVERLAP = 2 * SAMPLE_RATE, SAMPLE_RATE // 2
POLICY = WindowPolicy()


def new_core(max_queue: int = 3, longest_window: int = 0) -> SessionCore:
    intake = FixedWindows(Position(WINDOW, OVERLAP), POLICY)
    policy = CorePolicy(max_queue=max_queue, longest_window=longest_window)
    return SessionCore(
        IDENTITY, Epoch("e1"), policy, intake, ReorderBuffer(), RecitationInterpreter(Follower(FATIHA))
    )


def restored(record: SessionRecord, pcm: bytes, max_queue: int = 3) -> SessionCore:
    """As another gateway would, from the record alone."""
    snapshot = decode_snapshot(record.core)
    position = snapshot.position
    return SessionCore(
        IDENTITY,
        record.epoch,
        CorePolicy(max_queue=max_queue),
        FixedWindows(position, POLICY, pcm[position.next_start * 2 : position.cut * 2]),
        ReorderBuffer(record.core_seq + 1, snapshot.log_offset),
        RecitationInterpreter(Follower.restore(FATIHA, DEFAULT, snapshot.interpreter)),
        answered_until=snapshot.answered_until,
        flights=snapshot.flights,
        floor_seq=snapshot.floor_seq,
        audio_start=snapshot.audio_start,
    )


class Driver:
    """Carries effects out against a bus that is two lists. Shared by all cores of a session."""

    def __init__(self, core: SessionCore) -> None:
        self.core = core
        self.pushed: list[Window] = []
        self.pending: deque[SegmentResult] = deque()
        self.log: list[LoggedResult] = []
        self.record = core.record()
        self.events: list[Event] = []
        self.finished = 0

    def do(self, effects: list[Effect]) -> None:
        todo = deque(effects)
        while todo:
            effect = todo.popleft()
            if isinstance(effect, Emit):
                self.events.append(effect.event)
            elif isinstance(effect, Finish):
                self.finished += 1
            else:
                todo.extend(self._store(effect))

    def _store(self, effect: Store) -> list[Effect]:
        window = effect.window
        self.record = self.core.record(window)
        segment = self.core.segment(window, 0)
        if segment is not None:
            self.pushed.append(window)
            self.pending.append(listen(segment))
        return self.core.stored(window, 1)

    def answer(self, index: int = 0) -> None:
        """One worker commits the `index`-th pending segment."""
        result = self.pending[index]
        del self.pending[index]
        self.log.append(LoggedResult(len(self.log) + 1, result))
        self.do(self.core.apply(self.log[-1], 2))

    def answer_all(self) -> None:
        while self.pending:
            self.answer()

    @property
    def verdicts(self) -> list[Event]:
        return [event for event in self.events if isinstance(event, Heard | SegmentFailed)]


def told(events: list[Event]) -> list[tuple[object, ...]]:
    """What a client learns, without latencies."""
    return [
        (event.seq, event.finding) if isinstance(event, Heard) else (event,)
        for event in events
        if not isinstance(event, AudioSafe)
    ]


def undisturbed(pcm: bytes) -> Driver:
    driver = Driver(new_core())
    driver.do(driver.core.accept_audio(pcm))
    driver.do(driver.core.end())
    driver.answer_all()
    return driver


PCM = recite([0, 1, 2, 3, 4, 5, 9, 6, 7, 8, 9, 10, 12, 13])
EXPECTED = undisturbed(PCM)


def test_one_event_per_segment_then_finish_once() -> None:
    assert [event.seq for event in EXPECTED.verdicts if isinstance(event, Heard)] == list(
        range(len(EXPECTED.pushed))
    )
    assert EXPECTED.finished == 1
    assert EXPECTED.record.ended


def test_a_flush_is_told_once_all_before_it_has_its_events() -> None:
    driver = Driver(new_core())
    driver.do(driver.core.accept_audio(recite([0, 1, 2])))
    driver.do(driver.core.flush())
    driver.do(driver.core.flush())
    assert not any(isinstance(event, Flushed) for event in driver.events)
    driver.answer_all()
    assert [type(event) for event in driver.events if not isinstance(event, AudioSafe)] == [Heard, Flushed]
    driver.do(driver.core.accept_audio(recite([3, 4])))
    driver.do(driver.core.end())
    driver.answer_all()
    assert sum(isinstance(event, Flushed) for event in driver.events) == 1


def test_a_flush_with_nothing_before_it_is_told_at_once() -> None:
    driver = Driver(new_core())
    driver.do(driver.core.flush())
    assert [type(event) for event in driver.events] == [Flushed]


def test_a_flush_just_before_the_end_is_told_after_the_last_result() -> None:
    driver = Driver(new_core(max_queue=1))
    driver.do(driver.core.accept_audio(recite(range(9))))
    driver.do(driver.core.flush())
    driver.do(driver.core.end())
    driver.answer_all()
    kinds = [type(event) for event in driver.events if not isinstance(event, AudioSafe)]
    assert kinds[-1] is Flushed
    assert kinds.count(Flushed) == driver.finished == 1


def test_at_the_bound_windows_are_kept_and_busy_is_said() -> None:
    driver = Driver(new_core(max_queue=2))
    driver.do(driver.core.accept_audio(PCM))
    assert len(driver.pushed) == 2
    assert driver.core.server_busy
    driver.answer()
    first = driver.verdicts[0]
    assert isinstance(first, Heard)
    assert first.server_busy
    assert len(driver.pushed) == 3
    driver.do(driver.core.end())
    driver.answer_all()
    assert told(driver.events) == told(EXPECTED.events)
    assert not driver.core.server_busy


LONGEST = 5 * SAMPLE_RATE


def test_audio_held_back_at_the_bound_becomes_one_longer_window() -> None:
    driver = Driver(new_core(max_queue=1, longest_window=LONGEST))
    driver.do(driver.core.accept_audio(PCM))
    assert [len(window.pcm) // 2 for window in driver.pushed] == [WINDOW]
    driver.answer()
    assert [len(window.pcm) // 2 for window in driver.pushed] == [WINDOW, LONGEST]
    driver.do(driver.core.end())
    driver.answer_all()
    assert len(driver.pushed) < len(EXPECTED.pushed)
    assert b"".join(window.fresh for window in driver.pushed) == PCM
    assert driver.finished == 1


def test_audio_that_comes_in_time_is_never_joined() -> None:
    driver = Driver(new_core(max_queue=2, longest_window=LONGEST))
    for start in range(0, len(PCM), 8000):
        driver.do(driver.core.accept_audio(PCM[start : start + 8000]))
        driver.answer_all()
    driver.do(driver.core.end())
    driver.answer_all()
    assert told(driver.events) == told(EXPECTED.events)


@settings(max_examples=30)
@given(st.data())
def test_a_resume_between_joined_windows_loses_and_repeats_nothing(data: st.DataObject) -> None:
    driver = Driver(new_core(max_queue=1, longest_window=LONGEST))
    driver.do(driver.core.accept_audio(PCM))
    for _ in range(data.draw(st.integers(0, 3))):
        if driver.pending:
            driver.answer()
    record = driver.record
    later = restored(record, PCM, max_queue=1)
    seen = len(driver.events)
    driver.core = later
    for logged in driver.log:
        driver.do(later.apply(logged, 4))
    driver.do(later.accept_audio(PCM[later.segmenter.received * 2 :]))
    driver.do(later.end())
    driver.answer_all()
    assert b"".join(window.fresh for window in driver.pushed) == PCM
    assert [window.seq for window in driver.pushed] == list(range(len(driver.pushed)))
    assert len(driver.events) > seen
    assert driver.finished == 1


@settings(max_examples=40)
@given(st.data())
def test_any_order_and_repetition_of_results_tells_the_same(data: st.DataObject) -> None:
    driver = Driver(new_core())
    driver.do(driver.core.accept_audio(PCM))
    driver.do(driver.core.end())
    while driver.pending:
        driver.answer(data.draw(st.integers(0, len(driver.pending) - 1)))
        repeated = data.draw(st.sampled_from(driver.log))
        driver.do(driver.core.apply(repeated, 3))
    assert told(driver.events) == told(EXPECTED.events)
    assert driver.finished == 1


_STEPS = st.lists(st.tuples(st.sampled_from(["audio", "answer", "die"]), st.integers(1, 40_000)), max_size=50)


@settings(max_examples=60)
@given(_STEPS)
def test_restored_at_any_point_the_future_is_the_same(steps: list[tuple[str, int]]) -> None:
    """Gateways die at random; the next one has the record, the log, and what the client saw."""
    driver = Driver(new_core())
    sent = 0
    rest = [("audio", len(PCM)), ("answer", 0)] * len(EXPECTED.pushed)
    for step, number in [*steps, *rest]:
        if step == "audio":
            driver.do(driver.core.accept_audio(PCM[sent : sent + number]))
            sent = min(sent + number, len(PCM))
            driver.do(driver.core.end() if sent == len(PCM) else [])
        elif step == "answer" and driver.pending:
            driver.answer(number % len(driver.pending))
        elif step == "die":
            die(driver)
            sent = driver.core.segmenter.received * 2
    assert told(driver.events) == told(EXPECTED.events)
    assert [window.pcm for window in driver.pushed] == [window.pcm for window in EXPECTED.pushed]


def die(driver: Driver) -> None:
    """Only the record and the log survive; the client has seen every event so far."""
    seen, before = len(driver.verdicts) - 1, driver.events
    driver.core, driver.events, driver.finished = restored(driver.record, PCM), [], 0
    for entry in driver.log:
        if entry.offset > driver.core.order.log_top:
            driver.do(driver.core.apply(entry, 4))
    driver.do(driver.core.advance())
    fresh = [event for event in driver.events if not (isinstance(event, Heard) and event.seq <= seen)]
    driver.events = before + fresh


def test_lost_state_settles_every_segment_in_flight_once() -> None:
    driver = Driver(new_core())
    driver.do(driver.core.accept_audio(PCM))
    lost = [driver.pending.popleft() for _ in range(2)]
    driver.do(driver.core.apply(LoggedResult(3, driver.pending.popleft()), 2))

    settled = driver.core.change_epoch(Epoch("e2"))

    assert [(r.seq, r.outcome, r.epoch) for r in settled] == [
        (0, "dropped", "e2"),
        (1, "dropped", "e2"),
        (2, "result", "e2"),
        (3, "dropped", "e2"),
    ]
    for offset, result in enumerate(settled, start=1):
        driver.do(driver.core.apply(LoggedResult(offset, result), 5))
    driver.do(driver.core.apply(LoggedResult(1, lost[0]), 5))
    assert [event.seq for event in driver.verdicts if isinstance(event, Heard | SegmentFailed)] == [
        0,
        1,
        2,
        3,
    ]
    assert not driver.core.audio_complete
    assert driver.core.record().next_seq == len(driver.pushed)


def test_latency_counts_from_the_push() -> None:
    driver = Driver(new_core())
    driver.do(driver.core.accept_audio(PCM[: WINDOW * 2]))
    driver.do(driver.core.apply(LoggedResult(1, driver.pending.popleft()), 62))
    event = driver.verdicts[0]
    assert isinstance(event, Heard)
    assert (event.latency.buffer_ms, event.latency.queued_ms, event.latency.inference_ms) == (2000, 3, 20)
    assert event.latency.total_ms == 61


def test_snapshots_are_small() -> None:
    assert len(EXPECTED.record.core) < 4096
