"""The `ResultFeed` on Redis: one subscriber per shard for the whole process, however many channels."""

from __future__ import annotations

import asyncio
import random

from shared.bus import keys
from shared.bus.metrics import BusMetrics
from shared.bus.ports import ResultSink
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_subscriber import ShardSubscriber
from shared.bus.sharding import shard_of
from shared.ids import ConnectionId, SessionId
from shared.retry import Backoff


class RedisResultFeed:
    """See `shared.bus.ports.ResultFeed`. Create it inside the running event loop; `close` ends its tasks.

    `subscribe` raises `BusUnavailable` when the shard does not confirm within `confirm_s` seconds.
    """

    def __init__(
        self,
        connections: RedisConnections,
        *,
        max_channels: int = 20_000,
        confirm_s: float = 5.0,
        idle_ping_s: float = 2.0,
        backoff: Backoff | None = None,
        random_source: random.Random | None = None,
        metrics: BusMetrics | None = None,
    ) -> None:
        jitter, metrics = random_source or random.Random(), metrics or BusMetrics()
        self._subscribers = tuple(
            ShardSubscriber(
                shard, max_channels, confirm_s, idle_ping_s, backoff or Backoff(), jitter, metrics
            )
            for shard in connections.shards
        )

    async def subscribe(self, session_id: SessionId, connection_id: ConnectionId, sink: ResultSink) -> None:
        await self._of(session_id).subscribe(keys.results_channel(connection_id), sink)

    async def unsubscribe(self, session_id: SessionId, connection_id: ConnectionId) -> None:
        self._of(session_id).unsubscribe(keys.results_channel(connection_id))

    async def close(self) -> None:
        await asyncio.gather(*(subscriber.close() for subscriber in self._subscribers))

    def _of(self, session_id: SessionId) -> ShardSubscriber:
        return self._subscribers[shard_of(session_id, len(self._subscribers))]
