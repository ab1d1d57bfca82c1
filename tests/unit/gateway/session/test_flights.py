"""The segments of a session that are on their way."""

from __future__ import annotations

from gateway.session.flights import Flights
from gateway.session.segmenter import Position, Window
from gateway.session.snapshot import Flight


def _window(seq: int, *, final: bool = False) -> Window:
    start, pcm = 16_000 * seq, bytes(32_000)
    return Window(seq, start, pcm, start, pcm, final, False, Position(16_000, 0))


def test_a_segment_is_open_until_it_has_a_result_and_in_flight_until_it_is_told() -> None:
    flights = Flights()
    flights.cut(0, _window(0))
    assert flights.open_count == 1
    flights.answered(0)
    assert (flights.open_count, flights.get(0)) == (0, Flight(0, 0, 16_000))
    flights.told(0)
    assert flights.get(0) is None


def test_the_oldest_is_the_one_pushed_first_and_not_answered() -> None:
    flights = Flights()
    for seq in range(3):
        flights.cut(seq, _window(seq))
    assert flights.oldest_open() is None
    flights.pushed(1, 500)
    flights.pushed(2, 400)
    assert flights.oldest_open() == (2, 400)
    flights.answered(2)
    assert flights.oldest_open() == (1, 500)


def test_a_snapshot_keeps_those_before_its_position_in_order() -> None:
    flights = Flights([Flight(4, 0, 10), Flight(2, 0, 10)])
    flights.cut(5, _window(5, final=True))
    assert [flight.seq for flight in flights.saved(5)] == [2, 4]
    assert flights.saved(6)[-1] == Flight(5, 80_000, 16_000, final=True)


def test_what_is_not_in_flight_is_not_pushed_and_lost_logs_open_answered_ones_again() -> None:
    flights = Flights([Flight(0, 0, 10)])
    flights.pushed(9, 100)
    assert flights.get(9) is None
    flights.answered(0)
    flights.reopen([0])
    assert flights.open_seqs == {0}
