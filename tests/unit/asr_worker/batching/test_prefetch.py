"""The next batch is prepared while the engine is at the last one, and that changes nothing else."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from asr_worker.engines.engine import EngineCapabilities, EngineItem, EngineOutput
from asr_worker.engines.scripted import HAFS_SOUNDS, ScriptedEngine, speak
from tests.memory.bus_state import MemoryBus
from tests.unit.asr_worker.worker_harness import QUICK, reciter, running, start, until

WINDOW = speak(HAFS_SOUNDS[:20])


@dataclass(frozen=True, slots=True)
class _Prepared(EngineItem):
    """What the tracing engine's `prepare` gives."""


class _TracingEngine:
    """The scripted engine; writes down what begins and ends, and each step waits for a permit."""

    def __init__(self, *, free_decoding: bool = False, free_preparing: bool = True) -> None:
        self._inner = ScriptedEngine()
        self._noted = threading.Lock()
        self.trace: list[str] = []
        self.may_decode, self.may_prepare = threading.Semaphore(0), threading.Semaphore(0)
        self.free = {"decode": free_decoding, "prepare": free_preparing}
        self.fail_preparing = False
        self.decoded: list[list[EngineItem]] = []

    @property
    def capabilities(self) -> EngineCapabilities:
        return self._inner.capabilities

    def bucket(self, samples: int) -> int:
        return self._inner.bucket(samples)

    def prepare(self, items: Sequence[EngineItem]) -> list[EngineItem]:
        self._begin("prepare", self.may_prepare)
        if self.fail_preparing:
            raise MemoryError("no room")
        done: list[EngineItem] = [_Prepared(item.pcm, item.options) for item in items]
        self._note("prepare ends")
        return done

    def decode(self, items: Sequence[EngineItem]) -> list[EngineOutput | Exception]:
        self.decoded.append(list(items))
        self._begin("decode", self.may_decode)
        outcomes = self._inner.decode(items)
        self._note("decode ends")
        return outcomes

    def close(self) -> None: ...

    def _begin(self, what: str, permit: threading.Semaphore) -> None:
        self._note(f"{what} begins")
        if not self.free[what]:
            assert permit.acquire(timeout=10)

    def _note(self, event: str) -> None:
        with self._noted:
            self.trace.append(event)

    def seen(self, event: str, times: int = 1) -> bool:
        return self.trace.count(event) >= times


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(shards=2)


async def test_the_next_batch_is_prepared_before_the_last_one_ends(bus: MemoryBus) -> None:
    engine = _TracingEngine()
    first, second, third = [await reciter(bus) for _ in range(3)]
    async with running(bus, engine=engine):
        await first.push(WINDOW)
        await until(lambda: engine.seen("decode begins"))
        await second.push(WINDOW)
        await third.push(WINDOW)
        await until(lambda: sum(item == "prepare ends" for item in engine.trace) >= 1)
        await until(lambda: engine.trace.count("prepare begins") == engine.trace.count("prepare ends"))
        engine.may_decode.release(10)
        for session in (first, second, third):
            assert (await session.results(1))[0].outcome == "result"
    assert engine.trace[:3] == ["decode begins", "prepare begins", "prepare ends"]
    assert engine.trace.index("decode ends") > 2
    one, *others = [item for batch in engine.decoded for item in batch]
    assert not isinstance(one, _Prepared), "it found a free engine and went straight to it"
    assert all(isinstance(item, _Prepared) for item in others)


async def test_with_little_to_do_nothing_is_prepared_beside_the_engine(bus: MemoryBus) -> None:
    engine = _TracingEngine(free_decoding=True)
    session = await reciter(bus)
    async with running(bus, engine=engine):
        for count in range(1, 4):
            await session.push(WINDOW)
            await session.results(count)
    assert not engine.seen("prepare begins")


async def test_switched_off_nothing_is_prepared(bus: MemoryBus) -> None:
    engine = _TracingEngine()
    session = await reciter(bus)
    async with running(bus, engine=engine, policy=replace(QUICK, prepare_ahead=False)) as worker:
        await session.push(WINDOW)
        await until(lambda: engine.seen("decode begins"))
        await session.push(WINDOW)
        await until(lambda: worker.worker.waiting == 1)
        engine.may_decode.release(10)
        await session.results(2)
    assert not engine.seen("prepare begins")


async def test_a_segment_is_not_decoded_while_it_is_being_prepared(bus: MemoryBus) -> None:
    engine = _TracingEngine(free_preparing=False)
    session = await reciter(bus)
    async with running(bus, engine=engine):
        await session.push(WINDOW)
        await until(lambda: engine.seen("decode begins"))
        await session.push(WINDOW)
        await until(lambda: engine.seen("prepare begins"))
        engine.may_decode.release(10)
        await session.results(1)
        assert engine.trace.count("decode begins") == 1
        engine.may_prepare.release()
        await session.results(2)
    assert engine.trace.index("prepare ends") < len(engine.trace) - 1
    assert isinstance(engine.decoded[1][0], _Prepared)


async def test_a_late_final_still_goes_before_prepared_partials(bus: MemoryBus) -> None:
    engine = _TracingEngine()
    partial, urgent = await reciter(bus), await reciter(bus)
    async with running(bus, engine=engine, policy=replace(QUICK, max_batch=1)) as worker:
        await partial.push(WINDOW)
        await until(lambda: engine.seen("decode begins"))
        await partial.push(WINDOW)
        await until(lambda: engine.seen("prepare ends"))
        await urgent.push(speak(["b"] * 5), priority="final")
        await until(lambda: worker.worker.waiting == 2)
        engine.may_decode.release(10)
        await partial.results(2)
        await urgent.results(1)
    assert [batch[0].samples for batch in engine.decoded] == [WINDOW.size, 5 * 1600, WINDOW.size]


async def test_what_cannot_be_prepared_is_decoded_as_it_is(bus: MemoryBus) -> None:
    engine = _TracingEngine()
    engine.fail_preparing = True
    session = await reciter(bus)
    async with running(bus, engine=engine):
        await session.push(WINDOW)
        await until(lambda: engine.seen("decode begins"))
        await session.push(WINDOW)
        await until(lambda: engine.seen("prepare begins"))
        engine.may_decode.release(10)
        results = await session.results(2)
    assert [result.outcome for result in results] == ["result", "result"]


async def test_a_drain_finishes_what_is_being_prepared(bus: MemoryBus) -> None:
    engine = _TracingEngine(free_preparing=False)
    session = await reciter(bus)
    worker = start(bus, engine=engine)
    await session.push(WINDOW)
    await until(lambda: engine.seen("decode begins"))
    await session.push(WINDOW)
    await until(lambda: engine.seen("prepare begins"))
    worker.stop.set()
    engine.may_decode.release(10)
    engine.may_prepare.release(10)
    await worker.task
    page = await session.store.results_after(session.session_id, session.epoch, 0)
    assert [logged.result.seq for logged in page.results] == [0, 1]
    worker.executor.close()


async def test_killed_while_preparing_the_segment_goes_to_another_worker(bus: MemoryBus) -> None:
    engine = _TracingEngine(free_preparing=False)
    session = await reciter(bus)
    dead = start(bus, "dead", engine)
    await session.push(WINDOW)
    await until(lambda: engine.seen("decode begins"))
    await session.push(WINDOW)
    await until(lambda: engine.seen("prepare begins"))
    await dead.abandon()
    async with running(bus, "heir"):
        assert [result.worker_id for result in await session.results(2)] == ["heir", "heir"]
    engine.may_decode.release(10)
    engine.may_prepare.release(10)
    dead.executor.close()


async def test_a_preparation_that_never_ends_is_seen_as_stuck(bus: MemoryBus) -> None:
    engine = _TracingEngine(free_preparing=False)
    session = await reciter(bus)
    stuck = start(bus, "stuck", engine, replace(QUICK, stuck_s=0.05, drain_timeout_s=0.05))
    await session.push(WINDOW)
    await until(lambda: engine.seen("decode begins"))
    await session.push(WINDOW)
    await until(lambda: engine.seen("prepare begins"))
    engine.may_decode.release(10)
    await session.results(1)
    await until(lambda: stuck.worker.stuck)
    async with running(bus, "heir"):
        assert (await session.results(2))[1].worker_id == "heir"
    engine.may_prepare.release(10)
    await stuck.drain()
    stuck.executor.close()
