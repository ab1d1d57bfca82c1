"""What the workers wrote into the result logs: where each segment's time went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.figures import percentile
from benchmarks.load.results import LoadFigures, SegmentLatency
from shared.bus import keys
from shared.bus.redis_connections import RedisConnections, command
from shared.bus.sharding import shard_of
from shared.ids import SessionId
from shared.protocol import codec
from shared.protocol.segments import SegmentResult


@dataclass(frozen=True, slots=True)
class Stages:
    """95th percentiles in ms over the answered segments of one run, and the mean batch size.

    `overhead`: what is neither waiting for the engine nor the engine: gateway, Redis, pub/sub, sockets.
    """

    queued_p95_ms: float
    waited_p95_ms: float
    inference_p95_ms: float
    overhead_p50_ms: float
    overhead_p95_ms: float
    batch_mean: float


async def stages_of(redis_url: str, figures: LoadFigures) -> Stages:
    """Read the logs of all sessions of a run, soon after it: they expire with the session."""
    connections = RedisConnections(redis_url)
    try:
        logs = {session: await _log(connections, session) for session in figures.session_ids}
    finally:
        await connections.close()
    return summary(figures.segments, [logs[session] for session in figures.session_ids])


def summary(segments: Iterable[SegmentLatency], logs: Sequence[dict[int, SegmentResult]]) -> Stages:
    """Join what the clients saw with what the workers noted."""
    pairs = [
        (segment, logs[segment.session][segment.seq])
        for segment in segments
        if segment.seq in logs[segment.session]
    ]
    timings = [result.timings for _, result in pairs]
    overhead = [
        max(0.0, segment.latency_ms - result.timings.batch_ms - result.timings.inference_ms)
        for segment, result in pairs
    ]
    return Stages(
        queued_p95_ms=percentile([timing.queued_ms for timing in timings], 0.95),
        waited_p95_ms=percentile([timing.batch_ms for timing in timings], 0.95),
        inference_p95_ms=percentile([timing.inference_ms for timing in timings], 0.95),
        overhead_p50_ms=percentile(overhead, 0.5),
        overhead_p95_ms=percentile(overhead, 0.95),
        batch_mean=sum(result.batch_size for _, result in pairs) / max(1, len(pairs)),
    )


async def _log(connections: RedisConnections, session: str) -> dict[int, SegmentResult]:
    shard = connections.shards[shard_of(SessionId(session), len(connections))]
    entries = await command(shard.commands, "XRANGE", keys.session_results(SessionId(session)), "-", "+")
    results = [codec.decode_result(fields[b"r"]) for _, fields in entries]
    return {result.seq: result for result in results}
