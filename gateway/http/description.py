"""`/openapi.json` and `/asyncapi.json`: what this service understands and says, for machines."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.description.asyncapi import asyncapi
from gateway.description.openapi import openapi
from shared.service.http_json import MEDIA_TYPE

_HEADERS = {"Cache-Control": "no-cache"}


@lru_cache(maxsize=1)
def _documents() -> tuple[bytes, bytes]:
    """Both, made when the first client asks: about 10 ms."""
    return msgspec.json.encode(openapi()), msgspec.json.encode(asyncapi())


async def _openapi(_request: Request) -> Response:
    return Response(_documents()[0], headers=_HEADERS, media_type=MEDIA_TYPE)


async def _asyncapi(_request: Request) -> Response:
    return Response(_documents()[1], headers=_HEADERS, media_type=MEDIA_TYPE)


def routes() -> list[Route]:
    """Both documents; they are the same for everybody and ask for no key."""
    return [Route("/openapi.json", _openapi), Route("/asyncapi.json", _asyncapi)]
