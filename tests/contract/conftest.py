from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.bus.limits import BusLimits
from tests.contract.bus_harness import Bus, MemoryHarness, RedisHarness

LIMITS = BusLimits(max_stream_length=5, max_results=100, max_audio_bytes=400, audio_codec="pcm16")


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    harness: Bus
    if request.param == "memory":
        harness = MemoryHarness(LIMITS)
    else:
        harness = RedisHarness(LIMITS, request.getfixturevalue("redis_url"))
    yield harness
    await harness.close()
