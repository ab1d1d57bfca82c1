"""Renewing leases: every one, for ever, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway.admission.lease_keeper import RENEWALS_AT_ONCE, RENEWED_PER_CALL, LeaseKeeper
from gateway.admission.router_client import OpenAdmission
from gateway.metrics import GatewayMetrics
from shared.errors import BadRequest, RouterUnavailable
from shared.ids import PoolName, SessionId
from shared.protocol.workers import AdmitRequest, HeldLease, RenewReply
from tests.unit.gateway.harness import eventually, stop

POOL = PoolName("default")
ONE = SessionId("session-1")


class ScriptedRouter(OpenAdmission):
    """Fails as told, remembers what it was asked."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.renewals: list[list[HeldLease]] = []
        self.released: list[tuple[SessionId, str]] = []
        self.reply: RenewReply | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.busy = self.most = 0

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        self.renewals.append(list(held))
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await self.hold.wait()
        finally:
            self.busy -= 1
        if self.failures:
            raise self.failures.pop(0)
        return self.reply or await super().renew(held)

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> None:
        self.released.append((session_id, holder))


def _keeper(router: ScriptedRouter, renew_every_s: float = 0.001) -> tuple[LeaseKeeper, GatewayMetrics]:
    metrics = GatewayMetrics(CollectorRegistry())
    return LeaseKeeper(router, renew_every_s, metrics=metrics), metrics


def _ask(session_id: SessionId = ONE, holder: str = "connection-1") -> AdmitRequest:
    return AdmitRequest(session_id, holder, POOL, "acme")


async def test_a_lease_is_renewed_with_all_that_is_needed_to_make_it_again() -> None:
    router = ScriptedRouter()
    keeper, _ = _keeper(router)
    await keeper.admit(_ask())
    await keeper.renew()
    assert router.renewals == [[HeldLease(ONE, "connection-1", POOL, POOL, "acme")]]


@pytest.mark.parametrize(
    "failure",
    [RouterUnavailable("away"), BadRequest("what?"), ZeroDivisionError("a bug"), TimeoutError(), OSError(9)],
)
async def test_whatever_fails_renewal_goes_on_and_it_is_seen(failure: Exception) -> None:
    router = ScriptedRouter()
    keeper, metrics = _keeper(router)
    await keeper.admit(_ask())
    router.failures = [failure]
    with capture_logs() as logged:
        renewing = asyncio.create_task(keeper.run([POOL], lambda pool, load: None))
        await eventually(lambda: len(router.renewals) >= 4)
        assert not renewing.done()
        await stop([renewing])
    assert (
        metrics.registry.get_sample_value("rattil_gateway_lease_renewals_total", {"outcome": "failed"}) == 1
    )
    assert {entry["event"] for entry in logged} <= {
        "leases_not_renewed",
        "lease_renewal_failed",
        "leases_renewed_again",
    }
    assert logged[0]["held"] == 1


async def test_an_outage_is_told_once_and_its_end() -> None:
    router = ScriptedRouter()
    keeper, _ = _keeper(router)
    await keeper.admit(_ask())
    router.failures = [RouterUnavailable("away") for _ in range(5)]
    with capture_logs() as logged:
        renewing = asyncio.create_task(keeper.run([POOL], lambda pool, load: None))
        await eventually(lambda: len(router.renewals) >= 8)
        await stop([renewing])
    assert [entry["event"] for entry in logged] == ["leases_not_renewed", "leases_renewed_again"]


async def test_many_leases_go_in_a_few_calls_a_few_at_a_time() -> None:
    router = ScriptedRouter()
    keeper, _ = _keeper(router)
    count = RENEWED_PER_CALL * 6 + 1
    for number in range(count):
        await keeper.admit(_ask(SessionId(f"session-{number}")))
    router.hold.clear()
    renewing = asyncio.create_task(keeper.renew())
    await eventually(lambda: router.busy == RENEWALS_AT_ONCE)
    router.hold.set()
    await renewing
    assert router.most == RENEWALS_AT_ONCE
    assert [len(call) for call in router.renewals] == [RENEWED_PER_CALL] * 6 + [1]
    assert len({lease.session_id for call in router.renewals for lease in call}) == count


async def test_one_call_that_fails_does_not_keep_the_others_from_being_renewed() -> None:
    router = ScriptedRouter()
    keeper, metrics = _keeper(router)
    for number in range(RENEWED_PER_CALL * 2):
        await keeper.admit(_ask(SessionId(f"session-{number}")))
    router.failures = [RouterUnavailable("away")]
    with pytest.raises(RouterUnavailable):
        await keeper.renew()
    renewed = metrics.registry.get_sample_value("rattil_gateway_lease_renewals_total", {"outcome": "renewed"})
    assert renewed == RENEWED_PER_CALL


async def test_a_lease_made_again_for_a_session_that_has_just_ended_is_given_back() -> None:
    router = ScriptedRouter()
    keeper, _ = _keeper(router)
    lease = await keeper.admit(_ask())
    router.hold.clear()
    renewing = asyncio.create_task(keeper.renew())
    await eventually(lambda: router.busy == 1)
    await keeper.release(ONE, "connection-1")
    router.reply = RenewReply((lease,), restored=(ONE,))
    router.hold.set()
    await renewing
    assert router.released == [(ONE, "connection-1")] * 2


async def test_a_taken_lease_is_taken_back_with_the_next_renewal_if_its_session_still_lives() -> None:
    router = ScriptedRouter()
    keeper, _ = _keeper(router)
    await keeper.admit(_ask())
    await keeper.admit(_ask(SessionId("session-2")))
    router.reply = RenewReply((), taken=(ONE, SessionId("session-2")))
    await keeper.renew()
    keeper.forget(SessionId("session-2"), "connection-1")
    router.reply = None
    await keeper.renew()
    await keeper.renew()
    flags = [[(lease.session_id, lease.takes_over) for lease in call] for call in router.renewals]
    assert flags[1:] == [[(ONE, True)], [(ONE, False)]]


async def test_an_old_holder_in_this_process_gives_nothing_back() -> None:
    router = ScriptedRouter()
    keeper, _ = _keeper(router)
    await keeper.admit(_ask(holder="old"))
    await keeper.admit(_ask(holder="new"))
    await keeper.release(ONE, "old")
    assert not keeper.forget(ONE, "old")
    assert (router.released, keeper.count) == ([], 1)
    await keeper.release(ONE, "new")
    assert (router.released, keeper.count) == ([(ONE, "new")], 0)
