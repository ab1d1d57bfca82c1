"""The workers' side of the bus benchmark, one process: claims batches, commits an invented result.

`python -m benchmarks.bus.workers REDIS_URL` runs until SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop

from benchmarks.bus.gateways import POOL
from shared.bus.ports import Claim
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_queue import RedisWorkQueue
from shared.hearing import Phone
from shared.ids import WorkerId
from shared.protocol.segments import SegmentResult, StageTimings

BATCH = 16
BLOCK_MS = 250
PHONES = tuple(Phone("a", 100 * place, 100 * place + 90, 0.9) for place in range(20))
"""What an engine hears in 2.5 s of slow recitation."""


async def work(redis_url: str) -> None:
    """Answer every segment at once until a signal."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connections = RedisConnections(redis_url)
    queue = RedisWorkQueue(connections, POOL, WorkerId("bench"))
    await queue.start()
    try:
        async with asyncio.TaskGroup() as group:
            for shard in range(queue.shards):
                group.create_task(_answer(queue, shard, stop), name=f"answer-{shard}")
    finally:
        await connections.close()


async def _answer(queue: RedisWorkQueue, shard: int, stop: asyncio.Event) -> None:
    while not stop.is_set():
        claims = await queue.claim(shard, BATCH, BLOCK_MS)
        if claims:
            await queue.commit([(claim, _result(claim)) for claim in claims])


def _result(claim: Claim) -> SegmentResult:
    segment = claim.segment
    return SegmentResult(
        session_id=segment.session_id,
        connection_id=segment.connection_id,
        epoch=segment.epoch,
        seq=segment.seq,
        start_sample=segment.start_sample,
        samples=segment.samples,
        trace_id=segment.trace_id,
        outcome="result",
        text="بسم الله الرحمن الرحيم",
        phones=PHONES,
        timings=StageTimings(1, 1, 1),
        worker_id=WorkerId("bench"),
    )


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1]))
