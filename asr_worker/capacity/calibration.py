"""The first guess of what batches cost: two of practice syllables through the engine, before any traffic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from asr_worker.batching.executor import Decoded
from asr_worker.capacity.estimator import BatchCost, CapacityPolicy, cost_of
from asr_worker.capacity.practice_audio import syllables
from asr_worker.engines.engine import EngineItem
from shared.clock import Clock

ROUNDS = 3
"""Each batch is decoded so often; the fastest counts, since neighbours only ever slow it down."""
LONGEST_MS = 1000.0
"""A batch expected to take longer is not tried: a slow model should not wait for its own measurement."""


class Decoder(Protocol):
    """The engine's executor."""

    async def decode(self, items: Sequence[EngineItem], *, live: bool) -> Decoded: ...


async def measure_cost(executor: Decoder, policy: CapacityPolicy, clock: Clock) -> BatchCost:
    """Decode one segment, then as many together as take less than `LONGEST_MS`."""
    item = EngineItem(syllables(policy.window_s))

    async def fastest_ms(size: int) -> float:
        best = float("inf")
        for _ in range(ROUNDS):
            began_s = clock.monotonic()
            await executor.decode([item] * size, live=True)
            best = min(best, 1000 * (clock.monotonic() - began_s))
            if best > LONGEST_MS:
                break
        return best

    one_ms = await fastest_ms(1)
    together = min(policy.max_batch, int(LONGEST_MS / max(one_ms, 0.1)))
    one = (policy.window_s, one_ms)
    if together < 2:
        return cost_of(one, one)
    return cost_of(one, (together * policy.window_s, await fastest_ms(together)))
