"""A crowd at a full pool: refused at once, without asking the routers each time, told when to come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from gateway.admission.lease_keeper import LeaseKeeper
from gateway.admission.pools import PoolStatus
from gateway.admission.refusal_cache import RefusalCache
from gateway.admission.router_client import OpenAdmission
from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End, EndReason
from gateway.connection.serve import serve_session
from gateway.connection.session_plan import SessionRequest
from gateway.connection.transport import Take
from gateway.dialects.recite.dialect import ReciteDialect
from gateway.interpreters.recitation.plan import RecitationPlan
from shared.clock import ManualClock
from shared.errors import NoCapacity, RouterUnavailable
from shared.ids import ConnectionId, PoolName, SessionId
from shared.protocol.close_codes import NO_CAPACITY
from shared.protocol.workers import AdmitRequest, HeldLease, Lease, RenewReply
from shared.recitation.reference.passage import VerseRange, load_passage
from tests.unit.gateway.harness import eventually, stop, world

POOL, OTHER = PoolName("default"), PoolName("other")
HERE = ConnectionId("c1")


class FullAdmission(OpenAdmission):
    """A router with `room` slots; counts what it is asked."""

    def __init__(self, room: int, retry_after_s: float = 5.0) -> None:
        self.room = room
        self.retry_after_s = retry_after_s
        self.asked: list[SessionId] = []
        self.load = 0.0
        self.away = False

    async def admit(self, request: AdmitRequest) -> Lease:
        self.asked.append(request.session_id)
        if not self.room:
            raise NoCapacity("full", self.retry_after_s)
        self.room -= 1
        return await super().admit(request)

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> None:
        self.room += 1

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        if self.away:
            raise RouterUnavailable("away")
        return await super().renew(held)

    async def pools(self) -> Sequence[PoolStatus]:
        return (PoolStatus(POOL, workers=1, utilisation=self.load),)


def _ask(session_id: SessionId) -> AdmitRequest:
    return AdmitRequest(session_id, HERE, POOL)


# -- the memory itself -----------------------------------------------------------------------------
def test_a_refusal_is_believed_for_a_random_part_of_the_time() -> None:
    ends = set()
    for seed in range(20):
        memory = RefusalCache(1.0, random.Random(seed))
        memory.remember(NoCapacity("full", 5.0), 100.0, 100.0)
        held = [step / 100 for step in range(200) if memory.recall(100.0 + step / 100) is not None]
        assert 0.48 <= held[-1] <= 1.0
        assert held == [step / 100 for step in range(len(held))]
        ends.add(held[-1])
    assert len(ends) > 5


def test_newcomers_are_told_different_times_none_too_early() -> None:
    memory = RefusalCache(1.0, random.Random(1))
    memory.remember(NoCapacity("full", 5.0), 0.0, 0.0)
    times = {refusal.retry_after_s for _ in range(20) if (refusal := memory.recall(0.1)) is not None}
    assert len(times) > 10
    assert 5.0 <= min(times) <= max(times) <= 7.5


def test_it_is_never_believed_longer_than_the_router_said() -> None:
    memory = RefusalCache(60.0)
    memory.remember(NoCapacity("full", 0.5), 0.0, 0.0)
    assert memory.recall(0.2) is not None
    assert memory.recall(0.6) is None


def test_an_answer_from_a_queue_is_nobody_elses_answer() -> None:
    memory = RefusalCache(1.0)
    memory.remember(NoCapacity("waited in vain", 5.0), 0.0, 10.0)
    assert memory.recall(10.1) is None


def test_zero_turns_it_off() -> None:
    memory = RefusalCache(0.0)
    memory.remember(NoCapacity("full"), 0.0, 0.0)
    assert memory.recall(0.0) is None


# -- the leases ------------------------------------------------------------------------------------
async def test_a_slot_given_back_opens_the_door_at_once() -> None:
    clock, admission = ManualClock(), FullAdmission(1)
    leases = LeaseKeeper(admission, 8.0, 1.0, clock)
    await leases.admit(_ask(SessionId("session-1")))
    with pytest.raises(NoCapacity):
        await leases.admit(_ask(SessionId("session-2")))
    with pytest.raises(NoCapacity):
        leases.expect_room(POOL)
    await leases.release(SessionId("session-1"), HERE)
    leases.expect_room(POOL)


async def test_after_the_time_the_router_is_asked_again() -> None:
    clock, admission = ManualClock(), FullAdmission(0)
    leases = LeaseKeeper(admission, 8.0, 1.0, clock)
    for _ in range(3):
        with pytest.raises(NoCapacity):
            await leases.admit(_ask(SessionId("session-1")))
        with pytest.raises(NoCapacity):
            leases.expect_room(POOL)
        clock.advance(1.1)
        leases.expect_room(POOL)
    assert len(admission.asked) == 3


async def test_when_a_crowd_leaves_every_slot_goes_back_a_few_at_a_time() -> None:
    class SlowRouter(FullAdmission):
        busy = most = 0

        async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> None:
            self.busy += 1
            self.most = max(self.most, self.busy)
            await asyncio.sleep(0)
            self.busy -= 1
            await super().release(session_id, holder, keep_s)

    admission, crowd = SlowRouter(200), [SessionId(f"session-{number}") for number in range(200)]
    leases = LeaseKeeper(admission, 8.0)
    for session_id in crowd:
        await leases.admit(_ask(session_id))
    await asyncio.gather(*(leases.release(session_id, HERE) for session_id in crowd))
    assert admission.room == 200
    assert leases.count == 0
    assert 1 < admission.most <= 32


async def test_the_load_of_the_pool_is_told_with_every_renewal() -> None:
    admission, told = FullAdmission(1), list[tuple[PoolName, float]]()
    admission.load, admission.away = 0.75, True
    leases = LeaseKeeper(admission, 0.001)
    await leases.admit(_ask(SessionId("session-1")))
    renewing = asyncio.create_task(leases.run([POOL, OTHER], lambda pool, load: told.append((pool, load))))
    await asyncio.sleep(0.01)
    assert told == []
    admission.away = False
    await eventually(lambda: len(told) >= 2)
    await stop([renewing])
    assert set(told) == {(POOL, 0.75), (OTHER, 0.0)}
    admission.room = 0
    with pytest.raises(NoCapacity):
        await leases.admit(_ask(SessionId("session-2")))
    assert told[-1] == (POOL, 1.0)


async def test_a_full_pool_refuses_nobody_who_asks_for_another_one() -> None:
    leases = LeaseKeeper(FullAdmission(0), 8.0, 1.0, ManualClock())
    with pytest.raises(NoCapacity):
        await leases.admit(_ask(SessionId("session-1")))
    with pytest.raises(NoCapacity):
        leases.expect_room(POOL)
    leases.expect_room(OTHER)


# -- the whole gateway -----------------------------------------------------------------------------
async def test_a_crowd_is_refused_in_words_and_the_router_is_asked_once() -> None:
    async with world() as w:
        admission = FullAdmission(0)
        gateway = w.gateway(admission, refusal_memory_s=60)
        crowd = []
        for _ in range(11):
            crowd.append(gateway.connect())
            closed = await crowd[-1].rest()
            assert (closed.code, closed.reason) == NO_CAPACITY
        for client in crowd:
            event = client.of("error")[0]
            assert event["code"] == "no_capacity"
            assert event["retry_after_s"] >= 5.0
        refused = gateway.ports.metrics.registry.get_sample_value(
            "rattil_gateway_refusals_total", {"code": "no_capacity"}
        )
        assert refused == 11
    assert len(admission.asked) == 1


async def test_a_session_that_holds_a_lease_is_never_refused_from_memory() -> None:
    async with world() as w:
        admission = FullAdmission(1)
        gateway = w.gateway(admission, refusal_memory_s=60)
        inside = gateway.connect()
        session_id = (await inside.until("ready"))["session_id"]
        refused = gateway.connect()
        assert (await refused.rest()).code == NO_CAPACITY.code
        admission.room = 1
        back = gateway.connect(session_id=session_id, last_seq=-1, offset=0)
        assert (await back.until("ready"))["resumed"] is True


class _Mouth:
    """A socket that only listens to what it is told."""

    def __init__(self) -> None:
        self.ended: End | None = None

    async def pour(self, take: Take) -> None:
        raise AssertionError("nobody may read before there is a place")

    def send_now(self, frame: Frame) -> bool:
        return False

    async def send(self, frame: Frame) -> None:
        assert "no_capacity" in str(frame)

    async def end(self, end: End) -> None:
        self.ended = end

    def abort(self, after_s: float) -> None:
        return None


@pytest.mark.parametrize(("named", "asked"), [(False, 1), (True, 2)])
async def test_who_came_together_with_the_first_is_refused_without_asking(named: bool, asked: int) -> None:
    async with world() as w:
        admission = FullAdmission(0)
        gateway = w.gateway(admission, refusal_memory_s=60)
        await gateway.connect().rest()
        plan = RecitationPlan(gateway.ports, load_passage(VerseRange.of(1, 1, 7)))
        request = SessionRequest("recite", plan, SessionId("session-1"), named=named)
        mouth = _Mouth()
        await serve_session(gateway.ports, mouth, ReciteDialect(), request)
        assert mouth.ended is not None
        assert mouth.ended.reason is EndReason.NO_CAPACITY
    assert len(admission.asked) == asked


async def test_when_one_leaves_the_next_one_comes_in() -> None:
    async with world() as w:
        admission = FullAdmission(1)
        gateway = w.gateway(admission, refusal_memory_s=60)
        first = gateway.connect()
        await first.until("ready")
        assert (await gateway.connect().rest()).code == NO_CAPACITY.code
        await first.leave()
        await eventually(lambda: admission.room == 1)
        await gateway.connect().until("ready")
