"""The worker on the memory bus: every accepted segment ends in exactly one outcome, whatever happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from asr_worker.batching import outcomes
from asr_worker.batching.outcomes import Stages
from asr_worker.engines.engine import EngineCapabilities, EngineItem, EngineOutput
from asr_worker.engines.scripted import (
    FAIL_BATCH,
    FAIL_ITEM,
    HAFS_SOUNDS,
    Script,
    ScriptedEngine,
    speak,
    speak_marker,
)
from shared.clock import SystemClock
from shared.errors import BusUnavailable
from shared.ids import WorkerId
from shared.protocol.segments import SegmentResult, TaskOptions
from tests.memory.bus_state import MemoryBus
from tests.unit.asr_worker.worker_harness import QUICK, Reciter, reciter, running, start, until

WINDOW = speak(HAFS_SOUNDS[:20])


def _symbols(result: SegmentResult) -> tuple[str, ...]:
    return tuple(phone.symbol for phone in result.phones or ())


class _HeldEngine:
    """The scripted engine, held until let go; counts batches."""

    def __init__(self) -> None:
        self._inner = ScriptedEngine()
        self.go = threading.Event()
        self.batches: list[int] = []

    @property
    def capabilities(self) -> EngineCapabilities:
        return self._inner.capabilities

    def bucket(self, samples: int) -> int:
        return self._inner.bucket(samples)

    def prepare(self, items: Sequence[EngineItem]) -> list[EngineItem]:
        return list(items)

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        self.batches.append(len(items))
        assert self.go.wait(10)
        return self._inner.decode(items)

    def close(self) -> None: ...


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(shards=2)


async def _empty(bus: MemoryBus) -> None:
    await until(lambda: not any(bus.streams.values()))


async def test_many_sessions_share_batches_and_everyone_gets_their_own(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    sessions = [await reciter(bus) for _ in range(10)]
    async with running(bus, engine=engine) as worker:
        for number, session in enumerate(sessions):
            await session.push(speak(HAFS_SOUNDS[number : number + 20]))
        await until(lambda: worker.worker.in_flight == 10)
        engine.go.set()
        for number, session in enumerate(sessions):
            (result,) = await session.results(1)
            assert _symbols(result) == HAFS_SOUNDS[number : number + 20]
            assert (result.outcome, result.worker_id, result.seq) == ("result", "w1", 0)
        await _empty(bus)
    assert len(engine.batches) < 10
    assert sum(engine.batches) == 10


async def test_a_poisoned_item_does_not_hurt_its_batch(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    good, bad, ugly = [await reciter(bus) for _ in range(3)]
    async with running(bus, engine=engine) as worker:
        await good.push(speak(["b"] * 5))
        await bad.push(speak_marker(FAIL_ITEM, 5))
        await ugly.push(speak_marker(FAIL_BATCH, 5))
        await until(lambda: worker.worker.in_flight == 3)
        engine.go.set()
        assert (await good.results(1))[0].outcome == "result"
        failed = (await bad.results(1))[0]
        assert (failed.outcome, failed.code) == ("error", "asr_failed")
        crashed = (await ugly.results(1))[0]
        assert (crashed.outcome, crashed.code) == ("error", "asr_failed")
        assert "scripted" not in crashed.message
    assert worker.metrics.failures == 2


@pytest.mark.parametrize("claimed", [0, 3], ids=["empty", "wrong length"])
async def test_audio_that_is_not_what_it_claims_is_an_error_of_that_segment(
    bus: MemoryBus, claimed: int
) -> None:
    session = await reciter(bus)
    async with running(bus):
        await session.push(WINDOW[:claimed][:0] if not claimed else WINDOW, samples=claimed)
        await session.push(WINDOW)
        results = {result.seq: result for result in await session.results(2)}
    assert (results[0].outcome, results[0].code) == ("error", "bad_audio")
    assert results[1].outcome == "result"


async def test_another_worker_finishes_what_a_dead_one_left(bus: MemoryBus) -> None:
    sessions = [await reciter(bus) for _ in range(4)]
    stuck = _HeldEngine()
    dead = start(bus, "dead", stuck)
    for session in sessions:
        await session.push(WINDOW)
    await until(lambda: dead.worker.in_flight == 4)
    await dead.abandon()
    async with running(bus, "heir") as heir:
        for session in sessions:
            (result,) = await session.results(1)
            assert (result.outcome, result.worker_id) == ("result", "heir")
            assert result.batch_size == 1
        await _empty(bus)
        assert heir.metrics.reclaimed._value.get() == 4
    stuck.go.set()
    dead.executor.close()


async def test_a_segment_that_kills_its_workers_is_dropped_and_kept_and_its_neighbours_live(
    bus: MemoryBus,
) -> None:
    poison, neighbour = await reciter(bus), await reciter(bus)
    await poison.push(speak_marker(FAIL_BATCH, 5))
    await neighbour.push(WINDOW)
    policy = replace(QUICK, max_deliveries=2, reclaim_ms=60)
    for name in ("first", "second"):
        engine = _DyingEngine()
        worker = start(bus, name, engine, policy)
        await until(lambda engine=engine: engine.died.is_set())  # type: ignore[misc]
        await worker.abandon()
        worker.executor.close()
    async with running(bus, "third", policy=policy):
        (dropped,) = await poison.results(1)
        assert (dropped.outcome, dropped.code) == ("dropped", "poison")
        (result,) = await neighbour.results(1)
        assert result.outcome == "result"
        await _empty(bus)
    assert [note["deliveries"] for note in bus.dead] == [3]


class _DyingEngine(_HeldEngine):
    """Never comes back from a batch with the marker, as after a crash."""

    def __init__(self) -> None:
        super().__init__()
        self.go.set()
        self.died = threading.Event()

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        if any(
            item.pcm is not None and (abs(item.pcm) * 32768).round().max() == FAIL_BATCH for item in items
        ):
            self.died.set()
            threading.Event().wait(0.5)
            return [RuntimeError("nobody listens any more") for _ in items]
        return super().decode(items)


async def test_a_drain_finishes_what_was_taken_and_takes_no_more(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    session = await reciter(bus)
    worker = start(bus, engine=engine)
    await session.push(WINDOW)
    await until(lambda: worker.worker.in_flight == 1)
    worker.stop.set()
    await asyncio.sleep(0.05)
    late = await session.push(WINDOW)
    engine.go.set()
    await worker.task
    page = await session.store.results_after(session.session_id, session.epoch, 0)
    assert [logged.result.seq for logged in page.results] == [0]
    async with running(bus, "next"):
        assert [result.seq for result in await session.results(2)] == [0, late]
    worker.executor.close()


async def test_a_drain_does_not_wait_for_ever(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    session = await reciter(bus)
    worker = start(bus, engine=engine, policy=replace(QUICK, drain_timeout_s=0.05))
    await session.push(WINDOW)
    await until(lambda: worker.worker.in_flight == 1)
    await worker.drain()
    engine.go.set()
    async with running(bus, "next"):
        assert (await session.results(1))[0].worker_id == "next"
    worker.executor.close()


async def test_results_survive_an_absent_redis(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    session = await reciter(bus)
    async with running(bus, engine=engine) as worker:
        await session.push(WINDOW)
        await until(lambda: worker.worker.in_flight == 1)
        bus.cut()
        engine.go.set()
        await until(lambda: worker.metrics.bus_errors.labels("commit")._value.get() > 1)
        bus.mend()
        (result,) = await session.results(1)
        assert result.outcome == "result"
        await _empty(bus)
        await session.push(WINDOW)
        await session.results(2)


async def test_a_shard_that_is_down_does_not_hold_up_the_other(bus: MemoryBus) -> None:
    on_shard: dict[int, Reciter] = {}
    while len(on_shard) < 2:
        session = await reciter(bus)
        on_shard.setdefault(bus.shard(session.session_id), session)
    async with running(bus):
        bus.cut(0)
        for _ in range(50):
            await on_shard[1].push(WINDOW)
        assert len(await on_shard[1].results(50)) == 50
        with pytest.raises(BusUnavailable):
            await on_shard[0].push(WINDOW)
        bus.mend()


async def test_intake_is_bounded_while_the_engine_is_busy(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    session = await reciter(bus)
    policy = replace(QUICK, max_batch=2, max_in_flight=3)
    async with running(bus, engine=engine, policy=policy) as worker:
        for _ in range(20):
            await session.push(WINDOW)
        await until(lambda: worker.worker.in_flight == 3)
        await asyncio.sleep(0.05)
        assert worker.worker.in_flight == 3
        engine.go.set()
        assert sorted(result.seq for result in await session.results(20)) == list(range(20))
    assert max(engine.batches) <= 2


async def test_expired_partials_may_be_dropped_but_finals_never(bus: MemoryBus) -> None:
    session = await reciter(bus)
    async with running(bus, policy=replace(QUICK, drop_expired=True)):
        await session.push(WINDOW, deadline_ms=1)
        await session.push(WINDOW, deadline_ms=1, priority="final")
        await session.push(WINDOW)
        results = {result.seq: result for result in await session.results(3)}
    assert (results[0].outcome, results[0].code) == ("dropped", "expired")
    assert [results[seq].outcome for seq in (1, 2)] == ["result", "result"]


async def test_what_its_session_has_given_up_is_not_decoded(bus: MemoryBus) -> None:
    engine, session = _HeldEngine(), await reciter(bus)
    for _ in range(2):
        await session.push(WINDOW, deadline_ms=1)
    [given_up, _] = [entry for stream in bus.streams.values() for entry in stream.values()]
    await session.store.settle(
        outcomes.dropped(given_up.segment, "timeout", "gone", Stages(0), WorkerId("g"))
    )
    engine.go.set()
    async with running(bus, engine=engine) as worker:
        await session.results(2)
        await until(lambda: worker.worker.in_flight == 0)
    assert sum(engine.batches) == 1


async def test_a_gateway_whose_clock_is_wrong_does_not_go_first(bus: MemoryBus) -> None:
    """Its deadlines look old by a year: who came first goes first all the same."""
    engine, honest, skewed = _HeldEngine(), await reciter(bus), await reciter(bus)
    policy = replace(QUICK, max_batch=1)
    async with running(bus, engine=engine, policy=policy) as worker:
        await honest.push(WINDOW)
        await until(lambda: len(engine.batches) == 1)
        await honest.push(WINDOW, deadline_ms=SystemClock().wall_ms() + 20_000)
        await until(lambda: worker.worker.in_flight == 2)
        year_ms = 365 * 24 * 3600 * 1000
        await skewed.push(WINDOW, created_ms=SystemClock().wall_ms() - year_ms, patience_ms=20_000)
        await until(lambda: worker.worker.in_flight == 3)
        engine.go.set()
        await skewed.results(1)
        assert len((await honest.store.results_after(honest.session_id, honest.epoch, 0)).results) == 2


async def test_languages_share_a_batch_and_do_not_mix(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    first, arabic, english = [await reciter(bus) for _ in range(3)]
    async with running(bus, engine=engine) as worker:
        await first.push(WINDOW)
        await until(lambda: len(engine.batches) == 1)
        await arabic.push(WINDOW)
        await english.push(WINDOW, options=TaskOptions(language="en"))
        await until(lambda: worker.worker.in_flight == 3)
        engine.go.set()
        assert (await arabic.results(1))[0].language == "ar"
        assert (await english.results(1))[0].language == "en"
    assert engine.batches == [1, 2]


async def test_long_batches_are_not_taken_over(bus: MemoryBus) -> None:
    session = await reciter(bus)
    engine = ScriptedEngine(Script(delay_s=0.6))
    async with running(bus, "slow", engine), running(bus, "idle") as idle:
        await session.push(WINDOW)
        (result,) = await session.results(1)
        assert idle.metrics.reclaimed._value.get() == 0 or result.worker_id == "idle"
        assert idle.metrics.reclaimed._value.get() == 0


async def test_a_session_that_is_gone_costs_nothing(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    session = await reciter(bus)
    async with running(bus, engine=engine) as worker:
        await session.push(WINDOW)
        await until(lambda: worker.worker.in_flight == 1)
        await session.store.close(session.session_id, session.connection_id)
        engine.go.set()
        await _empty(bus)
        await until(lambda: worker.worker.in_flight == 0)
        assert worker.metrics.duplicates._value.get() == 1


async def test_a_stuck_engine_is_seen_and_its_segments_are_let_go(bus: MemoryBus) -> None:
    engine = _HeldEngine()
    session = await reciter(bus)
    policy = replace(QUICK, stuck_s=0.05, drain_timeout_s=0.05)
    stuck = start(bus, "stuck", engine, policy)
    await session.push(WINDOW)
    await until(lambda: stuck.worker.stuck)
    async with running(bus, "heir"):
        assert (await session.results(1))[0].worker_id == "heir"
        engine.go.set()
        await _empty(bus)
    await stuck.drain()
    stuck.executor.close()
