"""What was counted reaches the store once, however often the store is away."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from gateway.metrics import GatewayMetrics
from gateway.usage import meter
from gateway.usage.meter import OTHERS, UsageMeter
from gateway.usage.store import UsageBatch, Used
from shared.clock import SystemClock
from shared.errors import BusUnavailable
from shared.service.metrics import exposition
from tests.memory.usage import MemoryUsage


class Flaky(MemoryUsage):
    """Takes a batch and then says that it is away, so many times: the worst a network can do."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def add(self, batch: UsageBatch) -> None:
        await super().add(batch)
        if self.failures:
            self.failures -= 1
            raise BusUnavailable("the answer was lost")


def metered(store: MemoryUsage) -> tuple[UsageMeter, GatewayMetrics]:
    metrics = GatewayMetrics(CollectorRegistry())
    return UsageMeter(store, SystemClock(), metrics), metrics


async def used(store: MemoryUsage, tenant: str = "acme") -> dict[str, Used]:
    days: Sequence[dt.date] = [dt.datetime.now(dt.UTC).date()]
    return (await store.read(tenant, days)).get(days[0], {})


async def test_counts_add_up_until_they_are_handed_over() -> None:
    store = MemoryUsage()
    usage, _ = metered(store)
    usage.count("acme", "default", samples=16_000, sessions=1)
    usage.count("acme", "default", samples=8_000)
    usage.count("acme", "default", words=9)
    assert await usage.hand_over()
    assert await used(store) == {"default": Used(24_000, 1, 9)}


async def test_a_lost_answer_neither_loses_nor_doubles() -> None:
    store = Flaky(failures=2)
    usage, _ = metered(store)
    usage.count("acme", "default", sessions=1)
    assert not await usage.hand_over()
    usage.count("acme", "default", sessions=1)
    assert not await usage.hand_over()
    assert await usage.hand_over()
    assert await used(store) == {"default": Used(0, 2, 0)}


async def test_what_is_left_is_handed_over_at_the_end() -> None:
    store = MemoryUsage()
    usage, _ = metered(store)
    running = asyncio.create_task(usage.run(every_s=3600))
    await asyncio.sleep(0)
    usage.count("acme", "default", words=4)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await used(store) == {"default": Used(0, 0, 4)}


async def test_what_waits_for_the_store_is_bounded() -> None:
    store = Flaky(failures=1)
    usage, _ = metered(store)
    for number in range(meter.MAX_KEYS + 5):
        usage.count(f"tenant-{number}", "default", sessions=1)
    await usage.hand_over()
    assert await used(store, OTHERS) == {"default": Used(0, 5, 0)}


async def test_the_counters_say_the_same_in_seconds() -> None:
    usage, metrics = metered(MemoryUsage())
    usage.count("acme", "fast", samples=24_000, sessions=1, words=3)
    text = exposition(metrics.registry).decode()
    assert 'rattil_usage_audio_seconds_total{pool="fast",tenant="acme"} 1.5' in text
    assert 'rattil_usage_sessions_total{pool="fast",tenant="acme"} 1.0' in text
    assert 'rattil_usage_words_total{pool="fast",tenant="acme"} 3.0' in text


class Silent(MemoryUsage):
    """Never answers."""

    async def add(self, batch: UsageBatch) -> None:
        await asyncio.Event().wait()


async def test_a_store_that_does_not_answer_does_not_keep_the_service_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meter, "_LAST_S", 0.05)
    usage, _ = metered(Silent())
    usage.count("acme", "default", samples=16_000)
    running = asyncio.create_task(usage.run(60.0))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
