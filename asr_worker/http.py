"""`/health`, `/ready` and `/metrics` of a worker."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.service.metrics import negotiated


class Condition(Protocol):
    """What the probes ask."""

    @property
    def stuck(self) -> bool:
        """A batch has been running for far too long: restart this process."""
        ...

    @property
    def ready(self) -> bool:
        """The model is warm, the registry knows this worker, and it is not draining."""
        ...

    def describe(self) -> dict[str, object]:
        """Who this worker is and what it does, for people."""
        ...


def build_http(condition: Condition, registry: CollectorRegistry) -> Starlette:
    """The worker's small web application."""

    async def health(_request: Request) -> Response:
        status = "stuck" if condition.stuck else "ok"
        return JSONResponse({"status": status, **condition.describe()}, 503 if condition.stuck else 200)

    async def ready(_request: Request) -> Response:
        return JSONResponse({"ready": condition.ready}, 200 if condition.ready else 503)

    async def metrics(request: Request) -> Response:
        text, content_type = negotiated(registry, request.headers.get("accept", ""))
        return Response(text, media_type=content_type)

    return Starlette(
        routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)],
    )
