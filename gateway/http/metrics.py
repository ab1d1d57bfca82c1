"""`/metrics` for Prometheus and `/metrics/streaming`, the same health of streaming as JSON."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from shared.service.metrics import CONTENT_TYPE, exposition


def routes(ports: GatewayPorts) -> list[Route]:
    """Both views of this process's metrics."""

    async def prometheus(_request: Request) -> Response:
        return Response(exposition(ports.metrics.registry), media_type=CONTENT_TYPE)

    async def streaming(_request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "active_connections": ports.connections.count,
                "avg_latency_ms": round(ports.adaptive.average_ms(), 1),
                "p95_latency_ms": round(ports.adaptive.p95_ms(), 1),
                "asr_failure_count": ports.metrics.asr_failures,
                "dropped_segments": ports.metrics.dropped_segments,
                "latency_sample_count": ports.adaptive.sample_count,
                "adaptive_window_seconds": ports.adaptive.window_s,
            }
        )

    return [Route("/metrics", prometheus), Route("/metrics/streaming", streaming)]
