"""`/metrics` for Prometheus and `/metrics/streaming`, the same health of streaming as JSON."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from gateway.http.answers import Endpoint, answering_errors
from shared.service.http_json import json_response
from shared.service.metrics import negotiated


class StreamingHealth(msgspec.Struct, frozen=True):
    """The health of streaming in this process; latencies are of the last results."""

    active_connections: int
    avg_latency_ms: float
    p95_latency_ms: float
    asr_failure_count: int
    dropped_segments: int
    latency_sample_count: int
    adaptive_window_seconds: float


def routes(ports: GatewayPorts) -> list[Route]:
    """Both views of this process's metrics, for those who have a key where keys are needed.

    What a service carries is nobody else's business; Prometheus asks the admin port or sends a key.
    """

    def with_key(endpoint: Endpoint) -> Endpoint:
        async def checked(request: Request) -> Response:
            ports.auth.tenant(request.headers, request.query_params)
            return await endpoint(request)

        return answering_errors(checked)

    return [Route(route.path, with_key(route.endpoint)) for route in open_routes(ports)]


def open_routes(ports: GatewayPorts) -> list[Route]:
    """The same without a key: for the admin port."""

    async def prometheus(request: Request) -> Response:
        text, content_type = negotiated(ports.metrics.registry, request.headers.get("accept", ""))
        return Response(text, media_type=content_type)

    async def streaming(_request: Request) -> Response:
        return json_response(
            StreamingHealth(
                active_connections=ports.connections.count,
                avg_latency_ms=round(ports.quality.latencies.average_ms(), 1),
                p95_latency_ms=round(ports.quality.latencies.p95_ms(), 1),
                asr_failure_count=ports.metrics.asr_failures,
                dropped_segments=ports.metrics.dropped_segments,
                latency_sample_count=ports.quality.latencies.count,
                adaptive_window_seconds=ports.quality.of(ports.models.default).window_s,
            )
        )

    return [Route("/metrics", prometheus), Route("/metrics/streaming", streaming)]
