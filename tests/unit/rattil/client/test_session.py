"""The Python client against a scripted gateway: nothing lost, nothing twice, clear ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from cli.ports import free_port
from rattil.client import GaveUp, Recitation, ReconnectPolicy, Refused, UnreadableEvent
from rattil.client.recitation import Ack, Final, FinalError, Partial, Ready, ServerError, ServerEvent
from tests.unit.rattil.client.scripted_server import Act, ScriptedServer, Visit, scripted_server

RECORDING = bytes(range(256)) * 250
"""64,000 bytes: 32,000 samples, 2 s; every position is recognisable."""

QUICK = ReconnectPolicy(base_s=0.001, cap_s=0.002, give_up_after=5, give_up_unreached=3)


class Notes:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.events: list[ServerEvent] = []
        self.reconnects: list[str] = []
        self.all_sent = 0
        self.broken = asyncio.Event()

    def on_event(self, event: ServerEvent) -> None:
        self.events.append(event)

    def on_reconnect(self, reason: str, delay_s: float) -> None:
        self.reconnects.append(reason)
        self.broken.set()

    def on_all_sent(self) -> None:
        self.all_sent += 1

    @property
    def seqs(self) -> list[int]:
        return [event.seq for event in self.events if isinstance(event, Partial)]


async def recording(piece: int = 6400) -> AsyncIterator[bytes]:
    for start in range(0, len(RECORDING), piece):
        yield RECORDING[start : start + piece]


def client(urls: list[str], notes: Notes) -> Recitation:
    return Recitation(urls, 1, 1, 7, listener=notes, policy=QUICK, rng=Random(1))


async def play(*acts: Act) -> tuple[ServerEvent, Notes, ScriptedServer, Recitation]:
    notes = Notes()
    async with scripted_server(*acts) as server:
        recitation = client([server.url], notes)
        ended = await recitation.run(recording())
    return ended, notes, server, recitation


async def good_ending(visit: Visit) -> None:
    await visit.ready()
    await visit.hear_to_the_end()
    await visit.say(type="ack", offset=32_000)
    await visit.partial(0, "correct", "pending")
    await visit.final()
    await visit.socket.wait_closed()


async def test_an_undisturbed_recitation() -> None:
    ended, notes, server, recitation = await play(good_ending)
    (visit,) = server.visits
    assert isinstance(ended, Final)
    assert visit.path == "/ws/recite"
    assert visit.query == {"surah": "1", "ayah": "1", "to": "7"}
    assert visit.pcm == RECORDING
    assert visit.commands == ["end"]
    assert [type(event) for event in notes.events] == [Ready, Ack, Partial, Final]
    assert (notes.all_sent, recitation.reconnects) == (1, 0)


async def test_a_broken_connection_is_resumed_from_what_was_acked() -> None:
    async def breaks(visit: Visit) -> None:
        await visit.ready()
        await visit.hear(9_600)
        await visit.say(type="ack", offset=5_000)
        await visit.partial(0, "correct", "pending")
        visit.socket.transport.abort()

    async def resumes(visit: Visit) -> None:
        await visit.ready(resumed=True, offset=5_000, next_seq=1)
        await visit.partial(0, "correct", "pending")
        await visit.hear_to_the_end()
        await visit.partial(1, "correct", "correct")
        await visit.final()
        await visit.socket.wait_closed()

    _, notes, server, recitation = await play(breaks, resumes)
    second = server.visits[1]
    assert second.query["session_id"] == "session-1"
    assert second.query["offset"] == "5000"
    assert second.query["last_seq"] == "0"
    assert second.pcm == RECORDING[10_000:]
    assert notes.seqs == [0, 1], "the replayed event must not be shown twice"
    assert recitation.reconnects == 1
    assert recitation.state.lost_samples == 0


async def test_a_draining_gateway_sends_the_client_to_the_next_one() -> None:
    async def drains(visit: Visit) -> None:
        await visit.ready()
        await visit.hear(4_800)
        await visit.socket.close(4001, "draining")

    async def takes_over(visit: Visit) -> None:
        await visit.ready(resumed=True)
        await visit.hear_to_the_end()
        await visit.final()
        await visit.socket.wait_closed()

    notes = Notes()
    async with scripted_server(drains) as first, scripted_server(takes_over) as second:
        ended = await client([first.url, second.url], notes).run(recording())
    assert isinstance(ended, Final)
    assert second.visits[0].pcm == RECORDING
    assert notes.reconnects == ["4001 draining"]


async def test_lost_state_is_answered_with_all_that_is_still_known() -> None:
    async def acks_then_breaks(visit: Visit) -> None:
        await visit.ready()
        await visit.hear(9_600)
        await visit.say(type="ack", offset=8_000)
        await asyncio.sleep(0.05)
        await visit.socket.close(4010, "session state lost")

    async def starts_anew(visit: Visit) -> None:
        await visit.say(
            type="ready",
            session_id="session-1",
            epoch="e2",
            resumed=False,
            next_seq=4,
            offset=8_000,
            gap={"from_offset": 0, "to_offset": 8_000},
        )
        await visit.hear_to_the_end()
        await visit.partial(4, "pending", "correct")
        await visit.final()
        await visit.socket.wait_closed()

    _, notes, server, recitation = await play(acks_then_breaks, starts_anew)
    assert server.visits[1].pcm == RECORDING[16_000:]
    assert notes.seqs == [4]
    assert recitation.state.epoch == "e2"


async def test_a_terminal_close_code_ends_it() -> None:
    async def refuses(visit: Visit) -> None:
        await visit.say(type="error", code="unknown_verse", message="There is no verse 1:9")
        await visit.socket.close(1008, "unknown_verse")

    notes = Notes()
    async with scripted_server(refuses) as server:
        with pytest.raises(Refused, match="unknown_verse") as refused:
            await client([server.url], notes).run(recording())
    assert refused.value.code == 1008
    assert isinstance(notes.events[0], ServerError)


async def test_no_capacity_is_waited_out_as_long_as_the_server_says() -> None:
    async def full(visit: Visit) -> None:
        await visit.say(type="error", code="no_capacity", message="full", retry_after_s=0.01)
        await visit.socket.close(4013, "no capacity")

    ended, notes, _, _ = await play(full, good_ending)
    assert isinstance(ended, Final)
    assert len(notes.reconnects) == 1


async def test_nobody_there_is_given_up_after_some_attempts() -> None:
    notes = Notes()
    with pytest.raises(GaveUp, match=r"nothing answers at ws://127\.0\.0\.1:.*; start one with `rattil up`"):
        await client([f"ws://127.0.0.1:{free_port()}"], notes).run(recording())
    assert len(notes.reconnects) == 3


async def test_a_server_that_was_there_is_waited_for_longer() -> None:
    async def breaks(visit: Visit) -> None:
        await visit.ready()
        visit.socket.transport.abort()

    async def breaks_at_once(visit: Visit) -> None:
        visit.socket.transport.abort()

    notes = Notes()
    async with scripted_server(breaks, *[breaks_at_once] * 5) as server:
        running = asyncio.create_task(client([server.url], notes).run(recording()))
        await notes.broken.wait()
    with pytest.raises(GaveUp, match="6 attempts"):
        await running


async def test_a_final_error_is_an_end_too() -> None:
    async def cannot_grade(visit: Visit) -> None:
        await visit.ready()
        await visit.hear_to_the_end()
        await visit.say(type="final_result_error", message="no worker", fallback="Use POST /verify", code="x")
        await visit.socket.wait_closed()

    ended, _, _, _ = await play(cannot_grade)
    assert isinstance(ended, FinalError)
    assert ended.fallback == "Use POST /verify"


async def test_unknown_events_are_passed_over_and_broken_ones_are_named() -> None:
    async def talks_of_the_future(visit: Visit) -> None:
        await visit.say(type="tajweed_hint", rule="madd")
        await good_ending(visit)

    async def talks_nonsense(visit: Visit) -> None:
        await visit.say(type="ready")
        await visit.socket.wait_closed()

    ended, _, _, _ = await play(talks_of_the_future)
    assert isinstance(ended, Final)
    with pytest.raises(UnreadableEvent, match="session_id"):
        await play(talks_nonsense)


async def test_an_audio_source_that_breaks_ends_the_recitation() -> None:
    async def broken_source() -> AsyncIterator[bytes]:
        yield RECORDING[:100]
        raise OSError("unplugged")

    async def listens(visit: Visit) -> None:
        await visit.ready()
        await visit.socket.wait_closed()

    async with scripted_server(listens) as server:
        with pytest.raises(OSError, match="unplugged"):
            await client([server.url], Notes()).run(broken_source())


async def test_odd_pieces_of_audio_are_joined_to_whole_samples() -> None:
    notes = Notes()
    async with scripted_server(good_ending) as server:
        await client([server.url], notes).run(recording(piece=777))
        assert server.visits[0].pcm == RECORDING


async def test_events_can_be_iterated() -> None:
    async with scripted_server(good_ending) as server:
        session = client([server.url], Notes())
        events = [type(event) async for event in session.stream(recording())]
    assert events == [Ready, Ack, Partial, Final]
    assert session.session_id == "session-1"


async def test_a_failure_comes_out_of_the_iteration_after_the_events() -> None:
    async def refuses(visit: Visit) -> None:
        await visit.say(type="error", code="unknown_verse", message="There is no verse 1:9")
        await visit.socket.close(1008, "unknown_verse")

    seen: list[ServerEvent] = []
    async with scripted_server(refuses) as server:
        events = client([server.url], Notes()).stream(recording())
        seen.append(await anext(events))
        with pytest.raises(Refused, match="unknown_verse"):
            await anext(events)
    assert [type(event) for event in seen] == [ServerError]


async def test_who_stops_iterating_leaves_the_server() -> None:
    left = asyncio.Event()

    async def waits(visit: Visit) -> None:
        await visit.ready()
        await visit.socket.wait_closed()
        left.set()

    async with scripted_server(waits) as server:
        async with client([server.url], Notes()) as session:
            async for event in session.stream(recording()):
                assert isinstance(event, Ready)
                break
        await asyncio.wait_for(left.wait(), 5)


async def test_the_key_travels_in_a_header() -> None:
    notes = Notes()
    async with scripted_server(good_ending) as server:
        session = Recitation(server.url, 1, 1, 7, token="a-key", listener=notes, policy=QUICK)
        await session.run(recording())
    (visit,) = server.visits
    assert "token" not in visit.query
    assert visit.headers["Authorization"] == "Bearer a-key"
