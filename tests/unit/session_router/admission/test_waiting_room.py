from __future__ import annotations

import asyncio

import pytest

from session_router.admission.waiting_room import WaitingRoom
from shared.errors import Unavailable
from shared.ids import PoolName

POOL = PoolName("default")
LONG_S = 3600.0


class Slots:
    """Slots that come free when the test says so; notes who asked."""

    def __init__(self) -> None:
        self.free = 0
        self.asked: list[str] = []

    async def take(self, who: str) -> str | None:
        self.asked.append(who)
        await asyncio.sleep(0)
        if not self.free:
            return None
        self.free -= 1
        return who


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_slots_are_given_in_order_of_arrival_and_only_the_first_asks() -> None:
    room, slots = WaitingRoom(), Slots()
    tasks = [
        asyncio.create_task(room.wait(POOL, LONG_S, lambda who=who: slots.take(who)))  # type: ignore[misc]
        for who in ("first", "second", "third")
    ]
    await _settle()
    assert slots.asked == ["first"]
    assert len(room) == room.waiting_for(POOL) == 3
    slots.free = 1
    room.announce()
    assert await tasks[0] == "first"
    slots.free = 2
    room.announce()
    assert await asyncio.gather(*tasks[1:]) == ["second", "third"]
    assert len(room) == 0
    assert not room._turns


async def test_news_while_asking_is_not_missed() -> None:
    room = WaitingRoom()
    answers = [None, "slot"]

    async def ask() -> str | None:
        answer = answers.pop(0)
        if answer is None:
            room.announce()
        return answer

    assert await room.wait(POOL, LONG_S, ask) == "slot"


async def test_time_ends_the_wait_also_of_those_behind() -> None:
    room, slots = WaitingRoom(), Slots()
    results = await asyncio.gather(
        *(room.wait(POOL, 0.01, lambda who=who: slots.take(who)) for who in ("first", "second"))  # type: ignore[misc]
    )
    assert results == [None, None]
    assert len(room) == 0


async def test_a_slot_taken_just_as_time_runs_out_is_still_delivered() -> None:
    room = WaitingRoom()

    async def slow() -> str:
        await asyncio.sleep(0.02)
        return "slot"

    assert await room.wait(POOL, 0.001, slow) == "slot"


async def test_pools_do_not_wait_for_each_other() -> None:
    room, slots = WaitingRoom(), Slots()
    full = asyncio.create_task(room.wait(PoolName("full"), LONG_S, lambda: slots.take("full")))
    await _settle()
    slots.free = 1
    assert await room.wait(POOL, LONG_S, lambda: slots.take("other")) == "other"
    full.cancel()
    with pytest.raises(asyncio.CancelledError):
        await full
    assert len(room) == 0


async def test_closing_sends_everybody_away() -> None:
    room, slots = WaitingRoom(), Slots()
    tasks = [asyncio.create_task(room.wait(POOL, LONG_S, lambda: slots.take("x"))) for _ in range(3)]
    await _settle()
    room.close()
    for task in tasks:
        with pytest.raises(Unavailable, match="draining"):
            await task
