"""`/health`: the process lives. `/ready`: this gateway can carry sessions, and what is missing around it."""

from __future__ import annotations

import asyncio
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from shared.errors import RattilError
from shared.service.http_json import json_response

_CHECK_S = 2.0
"""Longest one check may take, seconds; a probe should not wait for a Redis that hangs."""


class Health(msgspec.Struct, frozen=True):
    """The process lives, with so many live connections."""

    status: Literal["ok"]
    connections: int


class Readiness(msgspec.Struct, frozen=True):
    """`reasons` why this gateway cannot carry sessions, absent when it can; what is `missing` around it."""

    status: Literal["ready", "not_ready"]
    missing: list[str]
    reasons: list[str] | UnsetType = UNSET


def routes(ports: GatewayPorts) -> list[Route]:
    """Health and readiness."""

    async def health(_request: Request) -> Response:
        return json_response(Health("ok", ports.connections.count))

    async def ready(_request: Request) -> Response:
        shards, admission = await asyncio.gather(_redis(ports), _admission(ports))
        reasons = ["draining: this gateway is going away"] if ports.connections.draining else []
        reasons += shards.reasons
        missing = shards.missing + admission.missing
        if reasons:
            return json_response(Readiness("not_ready", missing, reasons), 503)
        return json_response(Readiness("ready", missing))

    return [Route("/health", health), Route("/ready", ready)]


class _Found(NamedTuple):
    """`reasons` why this gateway cannot work, whatever others can; what is `missing` for all alike: were
    they not ready because of that, live sessions would lose every gateway at once."""

    reasons: list[str]
    missing: list[str]


async def _redis(ports: GatewayPorts) -> _Found:
    try:
        async with asyncio.timeout(_CHECK_S):
            away = await ports.store.ping()
    except (RattilError, TimeoutError):
        return _Found(["redis: it does not answer"], [])
    return _Found([], [f"redis: shards that do not answer: {away}; their sessions wait"] if away else [])


async def _admission(ports: GatewayPorts) -> _Found:
    try:
        async with asyncio.timeout(_CHECK_S):
            if await ports.workers_ready():
                return _Found([], [])
    except (RattilError, TimeoutError):
        return _Found([], ["routers: none answers; new sessions are refused"])
    return _Found([], ["workers: none is ready; new sessions are refused"])
