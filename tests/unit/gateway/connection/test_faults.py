"""Redis away, Redis wiped, workers failing or gone, routers full: explicit, counted, never a hang."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from gateway.admission.circuit import CircuitState
from gateway.admission.router_client import OpenAdmission
from shared.bus.limits import BusLimits
from shared.errors import BusUnavailable, NoCapacity, RattilError, RouterUnavailable, Unavailable
from shared.ids import SessionId
from shared.protocol.close_codes import BUS_AWAY, DRAINING, NO_CAPACITY
from shared.protocol.segments import Segment, SegmentResult
from shared.protocol.workers import AdmitRequest, HeldLease, Lease, RenewReply
from tests.unit.gateway import speech
from tests.unit.gateway.harness import Client, Gateway, eventually, world

PCM = speech.recite(range(16))


class RefusingAdmission(OpenAdmission):
    """A router that says no."""

    def __init__(self, refusal: RattilError) -> None:
        self.refusal = refusal
        self.released: list[SessionId] = []

    async def admit(self, request: AdmitRequest) -> Lease:
        raise self.refusal


class CountingAdmission(OpenAdmission):
    """Remembers who asked for what."""

    def __init__(self) -> None:
        self.admitted: list[SessionId] = []
        self.renewed: list[SessionId] = []
        self.released: list[tuple[SessionId, float]] = []

    async def admit(self, request: AdmitRequest) -> Lease:
        self.admitted.append(request.session_id)
        return await super().admit(request)

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        self.renewed += [lease.session_id for lease in held]
        return await super().renew(held)

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> None:
        self.released.append((session_id, keep_s))


def failing_every_third(segment: Segment) -> SegmentResult:
    heard = speech.listen(segment)
    if segment.seq % 3 != 1:
        return heard
    return msgspec.structs.replace(heard, outcome="error", code="asr_failed", message="could not decode")


async def finish(client: Client) -> None:
    await client.stream(PCM)
    await client.send("end")
    assert (await client.rest()).code == 1000
    assert client.seqs == list(range(len(client.seqs)))


async def test_a_failed_segment_is_told_with_a_hint_and_the_session_goes_on() -> None:
    async with world(failing_every_third) as w:
        gateway = w.gateway()
        client = gateway.connect()
        await finish(client)
        failed = client.of("error")
        assert gateway.ports.metrics.asr_failures == len(failed)
    assert [event["seq"] % 3 for event in failed] == [1] * len(failed)
    assert {event["code"] for event in failed} == {"asr_failed"}
    assert failed[0]["fallback"].startswith("Use POST /verify")
    assert client.events[-1]["type"] == "final_result"


async def test_a_short_redis_outage_only_delays() -> None:
    async with world() as w:
        client = w.gateway(bus_grace_s=10).connect()
        await client.stream(PCM[:60_000])
        await client.until("ready")
        w.bus.cut()
        await client.stream(PCM[60_000:])
        await asyncio.sleep(0.05)
        w.bus.mend()
        w.bus.interrupt()
        await client.send("end")
        assert (await client.rest()).code == 1000
    assert client.seqs == list(range(len(client.seqs)))
    assert client.of("ack")[-1]["offset"] == len(PCM) // 2


async def test_a_long_redis_outage_asks_to_reconnect() -> None:
    async with world() as w:
        client = w.gateway(bus_grace_s=0.05).connect()
        await client.until("ready")
        w.bus.cut()
        await client.stream(PCM[:100_000])
        assert (await client.rest()).code == BUS_AWAY.code
        assert client.events[-1]["code"] == "bus_unavailable"
        refused = w.gateway().connect()
        assert (await refused.rest()).code == BUS_AWAY.code
        w.bus.mend()
        again = w.gateway().connect(session_id=client.events[0]["session_id"], last_seq=-1, offset=0)
        assert (await again.until("ready"))["resumed"] is True


async def test_a_wiped_redis_is_a_counted_loss_and_the_session_goes_on() -> None:
    async with world() as w:
        w.worker.working.clear()
        gateway = w.gateway()
        client = gateway.connect()
        await client.stream(PCM[:160_000])
        await client.until("ack")
        await client.until("ack")
        w.bus.wipe()
        lost = await client.until("error")
        w.worker.working.set()
        await client.stream(PCM[160_000:])
        await client.send("end")
        assert (await client.rest()).code == 1000
        assert gateway.ports.metrics.dropped_segments == len(
            [event for event in client.of("error") if event["code"] == "state_lost" and "seq" in event]
        )
    assert lost["code"] == "state_lost"
    assert lost["gap"]["to_offset"] > lost["gap"]["from_offset"] == 0
    assert client.seqs == list(range(len(client.seqs)))
    assert client.of("partial_result")
    report = client.events[-1]["result"]
    assert (report["judged"], report["complete"]) == ("live", False)
    assert report["gaps"][0]["start_time"] == 0
    assert report["counts"]["not_judged"] > 0 == report["counts"]["missing"]


async def test_after_a_wipe_the_session_can_still_be_resumed_elsewhere() -> None:
    async with world() as w:
        first = w.gateway().connect()
        await first.stream(PCM[:160_000])
        await first.until("partial_result")
        w.bus.wipe()
        await first.stream(PCM[160_000:240_000])
        await first.until("error")
        await first.until("partial_result")
        await first.leave()
        ready = first.of("ready")[0]
        offset = first.of("ack")[-1]["offset"]
        second = w.gateway().connect(session_id=ready["session_id"], last_seq=max(first.seqs), offset=offset)
        resumed = await second.until("ready")
        await second.stream(PCM[resumed["offset"] * 2 :])
        await second.send("end")
        await second.rest()
    assert resumed["resumed"] is True
    assert resumed["epoch"] != ready["epoch"]
    together = first.seqs + second.seqs
    assert together == list(range(len(together)))


async def test_a_result_that_never_comes_is_dropped_with_a_name() -> None:
    async with world() as w:
        w.worker.working.clear()
        gateway = w.gateway(segment_timeout_s=0.2, segment_check_s=0.05)
        client = gateway.connect()
        await finish(client)
        assert gateway.ports.metrics.dropped_segments == len(client.seqs)
    assert {event["code"] for event in client.of("error")} == {"timeout"}
    assert client.events[-1]["type"] == "final_result"


async def test_results_lost_by_pub_sub_are_read_from_the_log() -> None:
    async with world() as w:
        gateway = w.gateway()
        client = gateway.connect()
        ready = await client.until("ready")
        del w.bus.sinks[ready["connection_id"]]
        await finish(client)
    assert client.of("error") == []


async def test_a_full_stream_keeps_the_segment() -> None:
    async with world() as w:
        w.worker.working.clear()
        w.bus.limits = BusLimits(max_stream_length=1)
        client = w.gateway().connect()
        await client.stream(PCM[:200_000])
        await client.until("ack")
        w.worker.working.set()
        await client.stream(PCM[200_000:])
        await client.send("end")
        assert (await client.rest()).code == 1000
    assert client.seqs == list(range(len(client.seqs)))
    assert client.of("error") == []


async def test_a_failed_report_is_an_event_with_a_hint() -> None:
    async with world() as w:
        w.batch.failure = Unavailable("no worker finished this recording")
        client = w.gateway().connect()
        await finish(client)
    error = client.events[-1]
    assert (error["type"], error["code"]) == ("final_result_error", "unavailable")
    assert error["fallback"].startswith("Use POST /verify with full audio")


async def test_a_report_that_takes_too_long_is_given_up() -> None:
    async with world() as w:
        w.batch.hold.clear()
        client = w.gateway(batch_timeout_s=0.05).connect()
        await finish(client)
    assert client.events[-1]["code"] == "verify_timeout"


@pytest.mark.parametrize(
    "refusal", [NoCapacity("all workers are full", 7.0), RouterUnavailable("no router answers")]
)
async def test_a_refused_lease_closes_with_retry_later(refusal: RattilError) -> None:
    async with world() as w:
        client = w.gateway(RefusingAdmission(refusal)).connect()
        closed = await client.rest()
    assert (closed.code, client.events[-1]["code"]) == (NO_CAPACITY.code, refusal.code)
    if isinstance(refusal, NoCapacity):
        assert client.events[-1]["retry_after_s"] == 7.0


async def test_a_resume_does_not_need_a_router() -> None:
    async with world() as w:
        first = w.gateway().connect()
        ready = await first.until("ready")
        await first.leave()
        away = w.gateway(RefusingAdmission(RouterUnavailable("away")))
        second = away.connect(session_id=ready["session_id"], last_seq=-1, offset=0)
        assert (await second.until("ready"))["resumed"] is True


async def test_leases_are_renewed_together_and_given_back() -> None:
    async with world() as w:
        admission = CountingAdmission()
        gateway = w.gateway(admission)
        client = gateway.connect()
        ready = await client.until("ready")
        await gateway.ports.leases.renew()
        assert admission.admitted == admission.renewed == [ready["session_id"]]
        await client.leave()
    assert admission.released == [(ready["session_id"], 0.0)]


async def test_a_slot_is_kept_for_a_reciter_who_may_come_back_and_freed_after_the_end() -> None:
    async with world() as w:
        admission = CountingAdmission()
        gateway = w.gateway(admission, lease_grace_s=12)
        client = gateway.connect()
        ready = await client.until("ready")
        await client.stream(PCM[:100_000])
        await client.until("ack")
        await client.leave()
        back = gateway.connect(session_id=ready["session_id"], last_seq=-1, offset=0)
        ready = await back.until("ready")
        await back.stream(PCM[ready["offset"] * 2 :])
        await back.send("end")
        assert (await back.rest()).code == 1000
        await eventually(lambda: len(admission.released) == 2)
    assert admission.released == [(ready["session_id"], 12.0), (ready["session_id"], 0.0)]


async def test_a_full_gateway_sends_clients_elsewhere() -> None:
    async with world() as w:
        gateway = w.gateway(ws_max_connections=1)
        first = gateway.connect()
        await first.until("ready")
        second = gateway.connect()
        assert (await second.rest()).code == NO_CAPACITY.code
        await first.leave()
        await gateway.connect().until("ready")


async def test_a_drain_moves_every_session_and_refuses_new_ones() -> None:
    async with world() as w:
        leaving, staying = w.gateway(), w.gateway()
        clients = [leaving.connect() for _ in range(5)]
        for client in clients:
            await client.stream(PCM[:100_000])
            await client.until("ready")
        await leaving.ports.connections.drain(0.05)
        assert leaving.ports.connections.count == 0
        assert [(await client.rest()).code for client in clients] == [DRAINING.code] * 5
        assert (await leaving.connect().rest()).code == DRAINING.code
        for client in clients:
            await moved(staying, client)


async def moved(gateway: Gateway, before: Client) -> None:
    acks = [event["offset"] for event in before.of("ack")]
    client = gateway.connect(
        session_id=before.events[0]["session_id"],
        last_seq=max(before.seqs, default=-1),
        offset=max(acks, default=0),
    )
    ready = await client.until("ready")
    assert ready["resumed"] is True
    await client.stream(PCM[ready["offset"] * 2 :])
    await client.send("end")
    assert (await client.rest()).code == 1000
    together = before.seqs + client.seqs
    assert together == list(range(len(together)))


async def test_nothing_is_left_behind() -> None:
    async with world() as w:
        gateway = w.gateway()
        for _ in range(3):
            await finish(gateway.connect())
        await eventually(lambda: gateway.ports.connections.count == 0)
        assert w.bus.sinks == {}
        assert gateway.ports.leases.count == 0
        assert sum(len(stream) for stream in w.bus.streams.values()) == 0


async def test_an_unexpected_failure_stays_in_its_session(caplog: pytest.LogCaptureFixture) -> None:
    def breaking(segment: Segment) -> SegmentResult:
        heard = speech.listen(segment)
        return msgspec.structs.replace(heard, words=None) if segment.session_id == "the-broken-one" else heard

    async with world(breaking) as w:
        gateway = w.gateway()
        broken, healthy = gateway.connect(session_id="the-broken-one"), gateway.connect()
        await broken.stream(PCM[:100_000])
        closed = await broken.rest()
        await finish(healthy)
    assert closed.code == 4014
    assert "Traceback" not in str(broken.events)


async def test_a_control_redis_that_is_away_for_a_moment_delays_the_report() -> None:
    async with world() as w:
        w.batch.failure = BusUnavailable("the control Redis cannot be used")
        client = w.gateway().connect()
        await client.stream(PCM)
        await client.send("end")
        await eventually(lambda: len(w.batch.asked) > 1)
        w.batch.failure = None
        assert (await client.rest()).code == 1000
    assert client.events[-1]["type"] == "final_result"


async def test_a_control_redis_that_stays_away_asks_for_a_resume() -> None:
    async with world() as w:
        w.batch.failure = BusUnavailable("the control Redis cannot be used")
        client = w.gateway(bus_grace_s=0).connect()
        await client.stream(PCM)
        await client.send("end")
        closed = await client.rest()
    assert closed.code == BUS_AWAY.code
    assert client.events[-1]["code"] == "bus_unavailable"


async def test_the_next_try_of_a_live_session_ends_the_refusals() -> None:
    async with world() as w:
        gateway = w.gateway(bus_grace_s=30, circuit_failures=3)
        client = gateway.connect()
        await client.until("ready")
        circuit = gateway.ports.circuits.bus(client.events[0]["session_id"])
        w.bus.cut()
        await client.stream(PCM[:100_000])
        await eventually(lambda: circuit.state is CircuitState.OPEN)
        w.bus.mend()
        await eventually(lambda: circuit.state is CircuitState.CLOSED)
        await gateway.connect().until("ready")
        await client.stream(PCM[100_000:])
        await client.send("end")
        assert (await client.rest()).code == 1000
    assert client.seqs == list(range(len(client.seqs)))


async def test_a_refusal_without_asking_says_when_to_come_back_and_a_resume_is_never_held_back() -> None:
    async with world() as w:
        gateway = w.gateway(circuit_failures=3)
        first = gateway.connect()
        await first.stream(PCM[:100_000])
        await first.until("ack")
        await first.leave()
        w.bus.cut()
        for _ in range(3):
            assert (await gateway.connect().rest()).code == BUS_AWAY.code
        w.bus.mend()
        held_back = gateway.connect()
        assert (await held_back.rest()).code == BUS_AWAY.code
        (error,) = held_back.events
        assert error["code"] == "bus_unavailable"
        assert 0 < error["retry_after_s"] <= 1
        back = gateway.connect(session_id=first.events[0]["session_id"], last_seq=-1, offset=0)
        assert (await back.until("ready"))["resumed"] is True
