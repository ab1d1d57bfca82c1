"""What is measured of every outcome that a client was told: delays, counts, traces."""

from __future__ import annotations

from gateway.connection.segment_traces import SegmentTraces
from gateway.connection.word_delays import WordDelays
from gateway.dependencies import GatewayPorts
from gateway.session.core import SessionCore
from gateway.session.events import Heard, SegmentFailed
from shared.service.logging import get_logger

_EXEMPLAR_FROM_MS = 250
"""Results that took at least so long are exemplars of the latency histogram: who looks for one looks for a
slow one, and one for every result costs more than the rest of what is measured of it."""

_log = get_logger(__name__)


class OutcomeMeasures:
    """Of one connection. `adaptive`: whether its latencies count for the quality of new sessions."""

    def __init__(
        self,
        ports: GatewayPorts,
        core: SessionCore,
        words: WordDelays,
        traces: SegmentTraces,
        adaptive: bool,
    ) -> None:
        self._ports = ports
        self._core = core
        self._words = words
        self._traces = traces
        self._adaptive = adaptive
        self._debug = _log.debug
        """Looked up once: that takes a lazy logger longer than finding out that nothing is to be done."""
        self.last_wait_s = 0.0
        """From the push of the last segment that was answered to its event."""

    def told(self, event: Heard | SegmentFailed, *, shown: bool) -> None:
        """The client was sent this; `shown`: its dialect shows it."""
        identity = self._core.identity
        self._debug(
            "event_sent",
            session_id=identity.session_id,
            connection_id=identity.connection_id,
            seq=event.seq,
        )
        if event.finding is not None:
            self._words.told(event.finding.said, shown, self._ports.clock.monotonic())
        if isinstance(event, Heard):
            self._measure(event, self._traces.shown(event.seq, "result"))
        else:
            self._traces.shown(event.seq, event.outcome)
            self._ports.metrics.count_outcome(event.outcome, event.code)

    def _measure(self, event: Heard, trace: str) -> None:
        """`trace`: id of the segment's trace, empty if it has none."""
        metrics, latency = self._ports.metrics, event.latency
        metrics.results.inc()
        if not latency.live:
            return
        self.last_wait_s = latency.total_ms / 1000
        if self._adaptive:
            self._ports.quality.observe(self._core.identity.pool, latency.total_ms)
        metrics.queued.observe(latency.queued_ms / 1000)
        metrics.inference.observe(latency.inference_ms / 1000)
        exemplar = None
        if trace or latency.total_ms >= _EXEMPLAR_FROM_MS:
            exemplar = {"trace_id": f"{self._core.identity.connection_id}-{event.seq}"}
            if trace:
                exemplar["otel_trace_id"] = trace
        metrics.total.observe(latency.total_ms / 1000, exemplar)
