"""Traces of segments through gateways and workers: what services ask of tracing, and what it is when off.

A span is one stage of one segment. Its context travels with the segment as a W3C `traceparent`, so that spans
of several processes make one trace. Nothing here imports a tracing library:
`shared.service.opentelemetry_tracing` does, and only where an endpoint is set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from shared.extras import how_to_install
from shared.service.http_server import StartupFailed
from shared.service.tracing_settings import TracingSettings

Attribute = str | int | float | bool


class OpenSpan(Protocol):
    """A span that has begun and not ended. `trace_id`: of its trace, 32 hexadecimal digits."""

    @property
    def traceparent(self) -> str: ...

    @property
    def trace_id(self) -> str: ...

    def end(self, **attributes: Attribute) -> None: ...


class Tracing(Protocol):
    """Never raises and never waits: spans that cannot be exported are lost, not what they tell of."""

    def now_ns(self) -> int:
        """The time for spans, ns since 1970; 0 where nothing is traced."""
        ...

    def begin(self, name: str, **attributes: Attribute) -> OpenSpan | None:
        """Begin a trace with its first span; None if this one is not sampled."""
        ...

    def record(
        self, name: str, parent: str | None, start_ns: int, end_ns: int, **attributes: Attribute
    ) -> None:
        """A span that has ended already, under the `traceparent` of another; without one nothing is done."""
        ...


class Untraced:
    """Tracing that is off."""

    def now_ns(self) -> int:
        return 0

    def begin(self, name: str, **attributes: Attribute) -> OpenSpan | None:
        return None

    def record(
        self, name: str, parent: str | None, start_ns: int, end_ns: int, **attributes: Attribute
    ) -> None:
        return


@asynccontextmanager
async def open_tracing(service: str, settings: TracingSettings) -> AsyncIterator[Tracing]:
    """The tracing that the settings ask for; what was recorded is sent at the end, within seconds.

    Raises `StartupFailed` if it is asked for and its packages are not installed.
    """
    if not settings.tracing_endpoint:
        yield Untraced()
        return
    try:
        from shared.service.opentelemetry_tracing import exporting
    except ImportError as error:
        raise StartupFailed(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set but {error.name} is missing; {how_to_install('otel')}"
        ) from error
    endpoint, share, queue = settings.tracing_endpoint, settings.trace_share, settings.trace_queue
    async with exporting(service, endpoint, share, queue) as tracing:
        yield tracing
