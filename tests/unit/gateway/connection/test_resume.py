"""A client comes back, to any gateway: nothing twice, nothing missing, or the gap is stated."""

from __future__ import annotations

from shared.ids import SessionId
from shared.protocol.close_codes import POLICY, SUPERSEDED
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, World, eventually, world

PCM = speech.recite([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
CUT = 5 * 16000 * 2


def came_back(gateway: Gateway, before: Client) -> Client:
    """A new connection with the cursors of the old one."""
    acks = [event["offset"] for event in before.of("ack")]
    return gateway.connect(
        session_id=before.of("ready")[0]["session_id"],
        last_seq=max(before.seqs, default=-1),
        offset=acks[-1] if acks else 0,
    )


async def finish(client: Client, pcm: bytes = PCM) -> None:
    """Send what the server asks for, then the end; read all."""
    ready = await client.until("ready")
    await client.stream(pcm[ready["offset"] * 2 :])
    await client.send("end")
    assert (await client.rest()).code == 1000


async def alone(w: World) -> Client:
    client = w.gateway().connect()
    await finish(client)
    return client


def words(client: Client) -> list[tuple[str, str]]:
    last = client.of("partial_result")[-1]
    return [(word["word"], word["status"]) for word in last["word_feedback"]]


async def test_another_gateway_goes_on_as_if_nothing_had_happened() -> None:
    async with world() as w:
        first = w.gateway().connect()
        await first.stream(PCM[:CUT])
        await first.until("partial_result")
        await first.leave()
        second = came_back(w.gateway(), first)
        await finish(second)
        undisturbed = await alone(w)

    ready = second.of("ready")[0]
    assert ready["resumed"] is True
    assert ready["epoch"] == first.of("ready")[0]["epoch"]
    assert ready["next_seq"] == max(first.seqs) + 1
    assert first.seqs + second.seqs == undisturbed.seqs
    assert words(second) == words(undisturbed)
    assert (
        second.of("partial_result")[-1]["partial_transcript"]
        == (undisturbed.of("partial_result")[-1]["partial_transcript"])
    )


async def test_results_that_came_while_away_are_replayed_in_order() -> None:
    async with world() as w:
        w.worker.working.clear()
        first = w.gateway().connect()
        await first.stream(PCM[:CUT])
        await first.until("ack")
        await first.until("ack")
        await first.leave()
        w.worker.working.set()
        await eventually(lambda: w.bus.sessions[session_of(first)].top >= 2)
        second = came_back(w.gateway(), first)
        await finish(second)
    assert first.seqs == []
    assert second.seqs == list(range(len(second.seqs)))
    assert [event["type"] for event in second.events[:3]] == ["ready", "partial_result", "partial_result"]


async def test_a_client_that_missed_events_gets_them_again() -> None:
    """The state had moved on further than what this client saw."""
    async with world() as w:
        first = w.gateway().connect()
        await first.stream(PCM[:-32000])
        for _ in range(3):
            await first.until("partial_result")
        await first.leave()
        second = w.gateway().connect(session_id=session_of(first), last_seq=0, offset=0)
        await finish(second)
        undisturbed = await alone(w)
    assert second.seqs == undisturbed.seqs[1:]
    assert words(second) == words(undisturbed)


async def test_after_the_end_a_reconnect_gets_the_final_result() -> None:
    async with world() as w:
        w.batch.hold.clear()
        first = w.gateway().connect()
        await first.stream(PCM)
        await first.send("end")
        await eventually(lambda: bool(w.batch.asked))
        await first.drained()
        await first.leave()
        w.batch.hold.set()
        second = came_back(w.gateway(), first)
        closed = await second.rest()
    assert closed.code == 1000
    assert second.events[-1]["type"] == "final_result"
    assert w.batch.asked[0] == w.batch.asked[1]


async def test_the_newer_of_two_connections_wins() -> None:
    async with world() as w:
        old_gateway, new_gateway = w.gateway(), w.gateway()
        old = old_gateway.connect()
        await old.stream(PCM[:CUT])
        await old.until("partial_result")
        new = came_back(new_gateway, old)
        closed = await old.rest()
        assert (closed.code, closed.reason) == SUPERSEDED
        await finish(new)
    assert sorted(set(old.seqs + new.seqs)) == list(range(len(set(old.seqs + new.seqs))))


async def test_the_newer_wins_on_the_same_gateway_and_keeps_the_lease() -> None:
    async with world() as w:
        gateway = w.gateway()
        old = gateway.connect()
        await old.until("ready")
        new = came_back(gateway, old)
        assert (await old.rest()).code == SUPERSEDED.code
        await new.until("ready")
        assert gateway.ports.leases.count == 1
        await new.leave()
        assert gateway.ports.leases.count == 0


async def test_an_expired_session_says_so_and_numbers_on() -> None:
    async with world() as w:
        client = w.gateway().connect(session_id="long-gone-session", last_seq=7, offset=96_000)
        ready = await client.until("ready")
        await client.stream(PCM[96_000 * 2 :])
        await client.send("end")
        await client.rest()
    assert ready["resumed"] is False
    assert ready["gap"] == {"from_offset": 0, "to_offset": 96_000}
    assert (ready["offset"], ready["next_seq"]) == (96_000, 8)
    assert client.seqs[0] == 8
    assert client.events[-1]["code"] == "audio_lost"


async def test_a_hole_in_the_log_is_stated_never_papered_over() -> None:
    async with world() as w:
        first = w.gateway().connect()
        await first.stream(PCM[:-32000])
        for _ in range(3):
            await first.until("partial_result")
        await first.leave()
        del w.bus.sessions[session_of(first)].results[0]
        second = w.gateway().connect(session_id=session_of(first), last_seq=-1, offset=0)
        ready = await second.until("ready")
    assert ready["resumed"] is False
    assert ready["epoch"] != first.of("ready")[0]["epoch"]
    assert ready["gap"]["to_offset"] == ready["offset"]


async def test_a_redis_that_forgot_acked_audio_is_stated() -> None:
    async with world() as w:
        first = w.gateway().connect()
        await first.stream(PCM[:CUT])
        await first.until("partial_result")
        await first.leave()
        safe = w.bus.sessions[session_of(first)].record.safe_sample
        second = w.gateway().connect(session_id=session_of(first), last_seq=0, offset=safe + 8000)
        ready = await second.until("ready")
    assert ready["resumed"] is False
    assert ready["offset"] == ready["gap"]["to_offset"] == safe + 8000
    assert ready["gap"]["from_offset"] <= safe


async def test_other_verses_or_another_key_do_not_get_the_session() -> None:
    async with world() as w:
        gateway = w.gateway()
        first = gateway.connect()
        await first.until("ready")
        thief = gateway.connect(session_id=session_of(first), surah=112, ayah=1, to=4)
        assert (await thief.rest()).code == POLICY.code
        assert thief.events[-1]["code"] == "passage_mismatch"


async def test_a_session_id_of_the_client_is_simply_new() -> None:
    async with world() as w:
        client = w.gateway().connect(session_id="my-own-session-id")
        ready = await client.until("ready")
    assert (ready["resumed"], ready["session_id"]) == (False, "my-own-session-id")
    assert "gap" not in ready


async def test_without_stored_audio_the_client_is_asked_for_the_overlap() -> None:
    async with world() as w:
        first = w.gateway(store_audio="off").connect()
        await first.stream(PCM[:CUT])
        await first.until("partial_result")
        await first.leave()
        second = came_back(w.gateway(store_audio="off"), first)
        await finish(second)
        undisturbed = await alone(w)
    assert words(second) == words(undisturbed)
    report = second.events[-1]["result"]
    assert (report["judged"], report["complete"]) == ("live", True)
    assert [word["status"] for word in report["word_analysis"]] == [
        word["status"] for word in second.of("partial_result")[-1]["word_feedback"]
    ]


def session_of(client: Client) -> SessionId:
    return SessionId(client.of("ready")[0]["session_id"])


async def test_a_request_for_other_verses_leaves_the_live_session_alone() -> None:
    async with world() as w:
        owner = w.gateway().connect()
        session_id = (await owner.until("ready"))["session_id"]
        await owner.stream(PCM[:CUT])
        await owner.until("partial_result")
        stranger = w.gateway().connect(session_id=session_id, surah=112, to=4)
        assert (await stranger.rest()).code == POLICY.code
        await owner.stream(PCM[CUT:])
        await owner.send("end")
        assert (await owner.rest()).code == 1000
    assert stranger.events[-1]["code"] == "passage_mismatch"
    assert owner.events[-1]["type"] == "final_result"
