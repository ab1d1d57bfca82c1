"""One pub/sub connection to one shard: batched SUBSCRIBE, reconnect, and a word to all about the gap.

redis-py's own PubSub object reconnects silently, which hides that messages were lost, and costs
several times the CPU per message; this reads the connection directly.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from shared.bus.metrics import BusMetrics
from shared.bus.ports import ResultSink
from shared.bus.redis_connections import Shard, heeding_cancel
from shared.bus.redis_errors import redis_errors
from shared.errors import BadRequest, BusUnavailable
from shared.protocol import codec
from shared.protocol.segments import LoggedResult, Takeover
from shared.retry import Backoff
from shared.service.logging import get_logger
from shared.service.throttled_log import ThrottledLog

_BATCH = 512
"""Channels per SUBSCRIBE: large enough for few round trips, small enough not to stall Redis."""

_YIELD_EVERY = 64
"""Messages handled in one go before other tasks get the loop: a full buffer never suspends a read."""

_log = get_logger(__name__)
_repeated = ThrottledLog(_log)


class ShardSubscriber:
    """Runs one task from the first subscription until `close`."""

    def __init__(
        self,
        shard: Shard,
        max_channels: int,
        confirm_s: float,
        idle_ping_s: float,
        backoff: Backoff,
        jitter: random.Random,
        metrics: BusMetrics,
    ) -> None:
        self._interruptions = metrics.feed_interruptions.labels(shard.index)
        self._undecodable = metrics.undecodable.labels("result")
        metrics.channels.labels(shard.index).set_function(lambda: len(self._sinks))
        self._shard = shard
        self._max_channels = max_channels
        self._confirm_s = confirm_s
        self._idle_ping_s = idle_ping_s
        self._backoff = backoff
        self._jitter = jitter
        self._sinks: dict[str, ResultSink] = {}
        self._confirming: dict[str, asyncio.Future[None]] = {}
        self._changes: dict[str, bool] = {}  # channel -> wanted; not sent yet
        self._changed = asyncio.Event()
        self._gapped: set[str] = set()  # were live before a reconnect, are not confirmed since
        self._attempt = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def subscribe(self, channel: str, sink: ResultSink) -> None:
        """Returns once Redis has confirmed. Raises `BusUnavailable` if it does not in time."""
        if self._closed:
            raise BusUnavailable("the result feed is closed: this process is shutting down")
        if len(self._sinks) >= self._max_channels:
            raise BusUnavailable(f"this process already follows {self._max_channels} channels")
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sinks[channel] = sink
        self._confirming[channel] = confirmed
        self._want(channel, True)
        if self._task is None:
            name = f"results-subscriber-{self._shard.index}"
            self._task = asyncio.create_task(self._run(), name=name)
        try:
            async with asyncio.timeout(self._confirm_s):
                await confirmed
        except BaseException as error:
            self.unsubscribe(channel)
            if isinstance(error, TimeoutError):
                shard, after_s = self._shard.index, self._confirm_s
                raise BusUnavailable(f"shard {shard} confirmed no subscription in {after_s} s") from error
            raise

    def unsubscribe(self, channel: str) -> None:
        """Deliveries stop at once; Redis is told with the next batch."""
        self._confirming.pop(channel, None)
        self._gapped.discard(channel)
        if self._sinks.pop(channel, None) is not None:
            self._want(channel, False)

    async def close(self) -> None:
        self._closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        for waiting in self._confirming.values():
            if not waiting.done():
                waiting.set_exception(BusUnavailable("the result feed was closed"))
        self._sinks.clear()
        self._confirming.clear()

    def _want(self, channel: str, wanted: bool) -> None:
        self._changes[channel] = wanted
        self._changed.set()

    async def _run(self) -> None:
        """Connect, serve, and again, until cancelled."""
        while True:
            connection = self._shard.new_connection()
            try:
                with redis_errors("following results"):
                    await heeding_cancel(connection.connect())  # type: ignore[no-untyped-call]
                    self._resubscribe()
                    await self._serve(connection)
            except (BusUnavailable, RedisError) as error:
                self._interruptions.inc()
                shard = self._shard.index
                _repeated.warning("results_feed_interrupted", key=shard, shard=shard, why=str(error))
            except Exception:
                # Whatever it was: without this task every session of the shard would go silent.
                self._interruptions.inc()
                _log.exception("results_feed_failed", shard=self._shard.index)
            finally:
                await connection.disconnect(nowait=True)
            await asyncio.sleep(self._backoff.wait_s(self._attempt, self._jitter))
            self._attempt += 1

    def _resubscribe(self) -> None:
        """All channels anew. Those that were live before have a gap, told once they are live again."""
        self._gapped |= self._sinks.keys() - self._confirming.keys()
        self._changes = dict.fromkeys(self._sinks, True)
        self._changed.set()

    async def _serve(self, connection: AbstractConnection) -> None:
        """Read and write until the connection fails; raises that failure, never returns otherwise."""
        writer = asyncio.create_task(self._write(connection), name=f"results-writer-{self._shard.index}")
        reader = asyncio.create_task(self._read(connection), name=f"results-reader-{self._shard.index}")
        try:
            await asyncio.wait([writer, reader], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writer, reader):
                task.cancel()
            ended = await asyncio.gather(writer, reader, return_exceptions=True)
        # After a broken connection redis-py's writer fails in odd ways, too: the plain failure is the cause.
        ends = [end for end in ended if isinstance(end, Exception)]
        for end in sorted(ends, key=lambda end: not isinstance(end, RedisError | OSError)):
            raise end

    async def _write(self, connection: AbstractConnection) -> None:
        while True:
            try:
                async with asyncio.timeout(self._idle_ping_s):
                    await self._changed.wait()
            except TimeoutError:
                await heeding_cancel(connection.send_command("PING", check_health=False))
                continue
            self._changed.clear()
            changes, self._changes = self._changes, {}
            for name, wanted in (("SUBSCRIBE", True), ("UNSUBSCRIBE", False)):
                channels = [channel for channel, want in changes.items() if want is wanted]
                for start in range(0, len(channels), _BATCH):
                    batch = channels[start : start + _BATCH]
                    await heeding_cancel(connection.send_command(name, *batch, check_health=False))

    async def _read(self, connection: AbstractConnection) -> None:
        """Every message, and at least the answer to each ping: silence beyond that is a dead server."""
        since_yield = 0
        while True:
            reply = await connection.read_response(timeout=self._idle_ping_s * 2, disable_decoding=True)
            if reply is None:
                raise RedisTimeout("no answer to a ping on the results connection")
            self._attempt = 0
            self._handle(reply)
            since_yield += 1
            if since_yield == _YIELD_EVERY:
                since_yield = 0
                await asyncio.sleep(0)

    def _handle(self, reply: Any) -> None:
        if not isinstance(reply, list) or len(reply) != 3:
            return
        kind, channel, data = reply
        if kind == b"message":
            self._deliver(channel.decode(), data)
        elif kind == b"subscribe":
            self._confirm(channel.decode())

    def _confirm(self, channel: str) -> None:
        waiting = self._confirming.pop(channel, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        if channel in self._gapped:
            self._gapped.discard(channel)
            sink = self._sinks.get(channel)
            if sink is not None:
                self._call(sink, None)

    def _deliver(self, channel: str, frame: bytes) -> None:
        sink = self._sinks.get(channel)
        if sink is None:
            return
        try:
            message = codec.decode_delivery(frame)
        except BadRequest as error:
            self._undecodable.inc()
            _log.error("result_undecodable", channel=channel, why=error.message)
            self._call(sink, None)
            return
        self._call(sink, message)

    def _call(self, sink: ResultSink, message: LoggedResult | Takeover | None) -> None:
        """None stands for a gap. A sink that raises must not take its neighbours' results with it."""
        try:
            if message is None:
                sink.on_gap()
            elif isinstance(message, Takeover):
                sink.on_takeover(message)
            else:
                sink.on_result(message)
        except Exception:
            _log.exception("result_sink_failed", shard=self._shard.index)
