"""Which segments wait too long, and who is woken for them."""

from __future__ import annotations

import asyncio

from gateway.connection.overdue_watch import OverdueWatch
from shared.clock import ManualClock


class Flights:
    """What a session core knows of its segments in flight: the oldest one."""

    def __init__(self) -> None:
        self.oldest: tuple[int, int] | None = None

    def oldest_open(self) -> tuple[int, int] | None:
        return self.oldest


async def test_a_segment_is_overdue_from_its_time_on() -> None:
    flights, clock = Flights(), ManualClock()
    watch = OverdueWatch(flights, clock, 2.0, 2.0, lambda: None)
    assert (watch.waited_s, watch.overdue) == (0.0, False)
    flights.oldest = (7, int(clock.monotonic() * 1000))
    clock.advance(1.5)
    assert (watch.waited_s, watch.overdue) == (1.5, False)
    clock.advance(0.5)
    assert (watch.waited_s, watch.overdue) == (2.0, True)


async def test_it_wakes_while_a_segment_is_in_flight_and_only_then() -> None:
    flights, clock, woken = Flights(), ManualClock(), asyncio.Event()
    watch = OverdueWatch(flights, clock, 0.01, 0.01, woken.set)
    watch.set()
    flights.oldest = (0, int(clock.monotonic() * 1000))
    watch.set()
    await woken.wait()
    woken.clear()
    watch.set()
    watch.close()
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, later.set)
    await later.wait()
    assert not woken.is_set()
