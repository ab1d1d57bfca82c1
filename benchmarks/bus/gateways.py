"""The gateways' side of the bus benchmark, one process: `python -m benchmarks.bus.gateways`.

Each session pushes a segment, waits for its result to come over pub/sub, and pushes the next: the
rate is what the bus carries with that many sessions at full speed, not what somebody asked for.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence

import msgspec
import uvloop

from shared.audio.formats import SAMPLE_RATE
from shared.bus.limits import BusLimits, StoreAudio
from shared.bus.ports import AudioChunk, SessionRecord
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_feed import RedisResultFeed
from shared.bus.redis_sessions import RedisSessionStore
from shared.ids import ConnectionId, PoolName, TraceId, new_connection_id, new_epoch, new_session_id
from shared.protocol.segments import LoggedResult, Segment, Takeover

POOL = PoolName("bench")
WINDOW_SAMPLES = int(2.5 * SAMPLE_RATE)
FRESH_SAMPLES = 2 * SAMPLE_RATE
SNAPSHOT_BYTES = 1500
"""A session core's snapshot in the middle of a short sura, as measured."""
DEADLINE_MS = 20_000


class GatewaysOrder(msgspec.Struct, frozen=True):
    """How many sessions for how long (s), against which shards, with how much stored audio."""

    redis_url: str
    sessions: int
    seconds: float
    store_audio: StoreAudio


class GatewaysFigures(msgspec.Struct, frozen=True):
    """Segments answered in `seconds`, time from push to result (ms), and this process's CPU (s)."""

    answered: int
    seconds: float
    latency_ms: list[float]
    cpu_s: float


class _Waiter:
    """`ResultSink` of one session: wakes it for each result."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.seq = -1

    def on_result(self, logged: LoggedResult) -> None:
        self.seq = logged.result.seq
        self.arrived.set()

    def on_takeover(self, takeover: Takeover) -> None:
        raise RuntimeError("nobody else drives these sessions")

    def on_gap(self) -> None:
        self.arrived.set()


async def drive(order: GatewaysOrder) -> GatewaysFigures:
    """Run all sessions until the time is over."""
    connections = RedisConnections(order.redis_url)
    limits = BusLimits(store_audio=order.store_audio, max_stream_length=100_000)
    store = RedisSessionStore(connections, limits)
    feed = RedisResultFeed(connections)
    latency_ms: list[float] = []
    stop = asyncio.Event()
    noise = os.urandom(2 * WINDOW_SAMPLES)
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(order.sessions):
                session = _session(store, feed, noise, latency_ms, stop)
                group.create_task(session, name=f"session-{number}")
            await asyncio.sleep(1.0)  # everybody is subscribed and warm
            latency_ms.clear()
            began_s, cpu_s = time.monotonic(), time.process_time()
            await asyncio.sleep(order.seconds)
            figures = GatewaysFigures(
                len(latency_ms), time.monotonic() - began_s, list(latency_ms), time.process_time() - cpu_s
            )
            stop.set()
        return figures
    finally:
        await feed.close()
        await connections.close()


async def _session(
    store: RedisSessionStore,
    feed: RedisResultFeed,
    audio: bytes,
    latency_ms: list[float],
    stop: asyncio.Event,
) -> None:
    connection, waiter = new_connection_id(), _Waiter()
    record = SessionRecord(
        session_id=new_session_id(),
        connection_id=connection,
        epoch=new_epoch(),
        protocol="bench",
        subject="1:1-7",
        pool=POOL,
        created_ms=time.time_ns() // 1_000_000,
        core=os.urandom(SNAPSHOT_BYTES),
    )
    await feed.subscribe(record.session_id, connection, waiter)
    await store.open(record)
    seq = 0
    while not stop.is_set():
        began_s = time.perf_counter()
        waiter.arrived.clear()
        record = msgspec.structs.replace(record, next_seq=seq + 1, safe_sample=(seq + 1) * FRESH_SAMPLES)
        # The end of the window, as in life: it travels once.
        fresh = AudioChunk(seq * FRESH_SAMPLES, audio[-2 * FRESH_SAMPLES :])
        await store.push(record, _segment(record, connection, seq, audio), fresh)
        while waiter.seq < seq:
            await waiter.arrived.wait()
            waiter.arrived.clear()
        latency_ms.append((time.perf_counter() - began_s) * 1000)
        seq += 1
    await feed.unsubscribe(record.session_id, connection)
    await store.close(record.session_id, connection)


def _segment(record: SessionRecord, connection: ConnectionId, seq: int, audio: bytes) -> Segment:
    now_ms = time.time_ns() // 1_000_000
    return Segment(
        session_id=record.session_id,
        connection_id=connection,
        epoch=record.epoch,
        seq=seq,
        start_sample=seq * FRESH_SAMPLES,
        samples=WINDOW_SAMPLES,
        audio=audio,
        pool=POOL,
        trace_id=TraceId(f"{connection}-{seq}"),
        created_ms=now_ms,
        deadline_ms=now_ms + DEADLINE_MS,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Order as JSON on standard input, figures as JSON on standard output."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=GatewaysOrder)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(order))))


if __name__ == "__main__":
    main()
