"""`/health`: the process lives. `/ready`: it can serve a session (Redis and a ready worker, not draining)."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from shared.errors import RattilError, Unavailable

_CHECK_S = 2.0
"""Longest one check may take, seconds; a probe should not wait for a Redis that hangs."""


def routes(ports: GatewayPorts) -> list[Route]:
    """Health and readiness."""

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "connections": ports.connections.count})

    async def ready(_request: Request) -> JSONResponse:
        reasons = await _unready(ports)
        if reasons:
            return JSONResponse({"status": "not_ready", "reasons": reasons}, status_code=503)
        return JSONResponse({"status": "ready"})

    return [Route("/health", health), Route("/ready", ready)]


async def _unready(ports: GatewayPorts) -> list[str]:
    reasons = ["draining: this gateway is going away"] if ports.connections.draining else []
    for name, check in (("redis", ports.store.ping), ("workers", lambda: _some_worker(ports))):
        try:
            async with asyncio.timeout(_CHECK_S):
                await check()
        except TimeoutError:
            reasons.append(f"{name}: no answer within {_CHECK_S:g} s")
        except RattilError as error:
            reasons.append(f"{name}: {error.message}")
    return reasons


async def _some_worker(ports: GatewayPorts) -> None:
    if await ports.workers_ready() == 0:
        raise Unavailable("no worker is ready")
