"""Tracing by OpenTelemetry: spans go in batches to an OTLP receiver over HTTP, from a thread of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.service.tracing import Attribute, OpenSpan

_SEND_S = 5.0
"""Longest one batch may take to send; the end of a process waits as long for the last one."""
_MOST_AT_ONCE = 512
_PATH = "/v1/traces"

_contexts = TraceContextTextMapPropagator()


class OpenTelemetrySpan:
    """An `OpenSpan`."""

    def __init__(self, span: Span) -> None:
        self._span = span
        carrier: dict[str, str] = {}
        _contexts.inject(carrier, set_span_in_context(span))
        self.traceparent = carrier["traceparent"]
        self.trace_id = f"{span.get_span_context().trace_id:032x}"

    def end(self, **attributes: Attribute) -> None:
        self._span.set_attributes(attributes)
        self._span.end()


class OpenTelemetryTracing:
    """A `Tracing` over any span processor."""

    def __init__(self, service: str, share: float, processor: SpanProcessor) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: f"rattil-{service}"}),
            sampler=ParentBased(TraceIdRatioBased(share)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("rattil")

    def now_ns(self) -> int:
        return time.time_ns()

    def begin(self, name: str, **attributes: Attribute) -> OpenSpan | None:
        span = self._tracer.start_span(name, attributes=attributes)
        return OpenTelemetrySpan(span) if span.is_recording() else None

    def record(
        self, name: str, parent: str | None, start_ns: int, end_ns: int, **attributes: Attribute
    ) -> None:
        if not parent:
            return
        context = _contexts.extract({"traceparent": parent})
        span = self._tracer.start_span(name, context, attributes=attributes, start_time=start_ns)
        span.end(max(start_ns, end_ns))

    def close(self) -> None:
        """Send what waits. Blocking, at most as long as sending may take."""
        self._provider.shutdown()


@asynccontextmanager
async def exporting(
    service: str, endpoint: str, share: float, queue: int
) -> AsyncIterator[OpenTelemetryTracing]:
    """Tracing to an OTLP receiver. `queue`: spans that may wait."""
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}{_PATH}", timeout=_SEND_S)
    processor = BatchSpanProcessor(
        exporter, max_queue_size=queue, max_export_batch_size=min(_MOST_AT_ONCE, queue)
    )
    tracing = OpenTelemetryTracing(service, share, processor)
    try:
        yield tracing
    finally:
        await asyncio.to_thread(tracing.close)
