"""A push that is refused is repeated, with its audio: what a refusal leaves behind must not add up."""

from __future__ import annotations

import gc
import weakref

from shared.errors import QueueFull
from tests.contract.bus_harness import Bus, a_record, a_segment


async def test_a_refusal_keeps_nothing_once_it_was_caught(bus: Bus) -> None:
    """Its traceback leads to the frames that hold the segment; no collection should be needed."""
    store, record = bus.store(), a_record()
    await store.open(record)
    for seq in range(bus.limits.max_stream_length):
        await store.push(record, a_segment(record, seq), None)
    left: weakref.ref[QueueFull] | None = None
    gc.disable()
    try:
        await store.push(record, a_segment(record, 99), None)
    except QueueFull as refusal:
        left = weakref.ref(refusal)
    finally:
        gc.enable()
    assert left is not None
    assert left() is None
