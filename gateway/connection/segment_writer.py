"""A connection's dealings with the session store: pushes, results that do not come, state that is gone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import msgspec

from gateway.connection.bus_retry import BusRetry
from gateway.connection.end_reason import EndConnection, EndReason
from gateway.connection.segment_traces import SegmentTraces
from gateway.connection.window_encoder import EncodedWindow
from gateway.dependencies import GatewayPorts
from gateway.session.core import SessionCore
from gateway.session.effects import Effect
from gateway.session.events import Gap, Trouble
from gateway.session.segmenter import Window
from shared.bus.ports import SessionRecord
from shared.errors import StateLost
from shared.ids import new_epoch
from shared.protocol.segments import LoggedResult, SegmentResult
from shared.service.logging import get_logger

_MAX_LOSSES = 5
"""Losses of state during one push before the connection gives up."""

_LOSS_PAUSE_S = 0.5
"""The pause before the next try grows by so much with each of them, seconds, with full jitter."""

_log = get_logger(__name__)


class SegmentWriter:
    """Every accepted segment ends as result, error or dropped; whatever Redis does meanwhile."""

    def __init__(self, ports: GatewayPorts, core: SessionCore, traces: SegmentTraces) -> None:
        self._traces = traces
        self._ports = ports
        self._core = core
        circuit = ports.circuits.bus(core.identity.session_id)
        self._patience = BusRetry(ports.clock, ports.metrics, ports.settings.bus_grace_s, circuit)
        self._trouble: Trouble | None = None
        self._settled: list[LoggedResult] = []
        self._debug = _log.debug

    async def store(self, window: Window, now_ms: Callable[[], int]) -> list[Effect]:
        """Push one window. Raises `Fenced`, or `EndConnection` after the grace."""
        if window.seq is not None:
            self._traces.cut(window.seq, len(window.pcm) // 2)
        begun_ns = self._traces.now_ns()
        encoded = await self._ports.encoder.encode(window, self._core.identity.pool)
        pushed_ms = await self._push_or_reopen(window, encoded, now_ms)
        if window.seq is not None:
            self._traces.stage("push", window.seq, begun_ns)
        identity = self._core.identity
        self._ports.usage.count(identity.tenant, identity.pool, samples=len(window.fresh) // 2)
        if window.seq is not None:
            self._ports.metrics.segments.inc()
        elif window.silent:
            self._ports.metrics.silent_windows.inc()
        return self._core.stored(window, pushed_ms)

    async def missing_results(self, overdue_s: float) -> list[LoggedResult]:
        """Read the log; a segment that is far too late is settled as dropped(timeout)."""
        core, store = self._core, self._ports.store
        page = await self._patience.call(
            lambda: store.results_after(
                core.identity.session_id, core.epoch, core.order.log_top, core.high_water
            )
        )
        if not page.complete:
            await self._reopen()
            return []
        found = list(page.results)
        answered = {logged.result.seq for logged in found}
        oldest = core.oldest_open()
        if oldest is None or oldest[0] in answered or overdue_s < self._ports.settings.segment_timeout_s:
            return found
        return found + await self._settle(core.dropped(oldest[0], "timeout"))

    def take_loss(self) -> tuple[Trouble | None, list[LoggedResult]]:
        """What to tell about a loss of state since the last call, and the outcomes settled by it."""
        trouble, settled = self._trouble, self._settled
        self._trouble, self._settled = None, []
        return trouble, settled

    async def _push_or_reopen(self, window: Window, encoded: EncodedWindow, now_ms: Callable[[], int]) -> int:
        """Raises `EndConnection` when the state is lost again and again."""
        for losses in range(_MAX_LOSSES):
            try:
                return await self._patience.call(lambda: self._push(window, encoded, now_ms))
            except StateLost:
                await asyncio.sleep(random.uniform(0, losses * _LOSS_PAUSE_S))
                await self._reopen()
        raise EndConnection(
            EndReason.STATE_LOST,
            StateLost.code,
            "Redis loses this session again and again; reconnect to resume",
        )

    async def _push(self, window: Window, encoded: EncodedWindow, now_ms: Callable[[], int]) -> int:
        """When it began: a worker may have the segment before we hear that it was taken."""
        began_ms = now_ms()
        segment = self._core.segment(window, self._ports.clock.wall_ms())
        if segment is not None and encoded.codec != "pcm16":
            segment = msgspec.structs.replace(segment, audio=encoded.audio, codec=encoded.codec)
        if segment is not None and (traceparent := self._traces.traceparent(segment.seq)):
            segment = msgspec.structs.replace(segment, traceparent=traceparent)
        core = self._core
        await self._ports.store.push(core.record(window), segment, encoded.fresh, core.high_water)
        if segment is not None:
            self._debug(
                "segment_pushed", session_id=segment.session_id, seq=segment.seq, trace_id=segment.trace_id
            )
        return began_ms

    async def _settle(self, result: SegmentResult) -> list[LoggedResult]:
        outcome = await self._patience.call(lambda: self._ports.store.settle(result))
        return [LoggedResult(outcome.offset, result)] if outcome.committed else []

    async def _reopen(self) -> None:
        """Redis lost this session: go on from memory, and answer for what was in flight.

        Raises `Fenced` if a newer connection has it, `EndConnection` after the grace.
        """
        core = self._core
        lost_from = core.answered_until
        unanswered = core.change_epoch(new_epoch())
        record: SessionRecord = core.record()
        await self._patience.call(lambda: self._ports.store.reopen(record))
        for result in unanswered:
            self._settled += await self._settle(result)
        self._ports.metrics.state_lost.inc()
        _log.warning(
            "state_lost", session_id=record.session_id, epoch=record.epoch, unanswered=len(unanswered)
        )
        self._trouble = Trouble(
            "state_lost",
            "the session's stored state was lost; it goes on, but audio in flight was not judged",
            gap=Gap(lost_from, record.safe_sample),
        )
