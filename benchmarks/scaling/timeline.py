"""What was there second by second: sessions, workers wanted, asked for and ready. Pure but for `watch`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import msgspec

EVERY_S = 0.5


class Moment(msgspec.Struct, frozen=True):
    """`at_s`: since the beginning. `sessions`: leases of the pool. `wanted`: what the router computes.

    `there`: workers that the autoscaler has asked for; `ready`: those of them that take sessions.
    """

    at_s: float
    sessions: int
    wanted: int
    there: int
    ready: int


@asynccontextmanager
async def watch(capacity_url: str, there: Callable[[], int]) -> AsyncIterator[list[Moment]]:
    """Note moments until the end of the block. `capacity_url`: a router's GET /v1/capacity."""
    moments: list[Moment] = []
    watching = asyncio.create_task(_watch(capacity_url, there, moments), name="timeline")
    try:
        yield moments
    finally:
        watching.cancel()
        failures = await asyncio.gather(watching, return_exceptions=True)
        for failure in failures:
            if isinstance(failure, BaseException) and not isinstance(failure, asyncio.CancelledError):
                raise failure


async def _watch(capacity_url: str, there: Callable[[], int], moments: list[Moment]) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with httpx.AsyncClient(timeout=5) as http:
        while True:
            try:
                answer = (await http.get(capacity_url)).raise_for_status().json()
            except httpx.HTTPError:
                answer = {"pools": []}  # a busy machine: this moment was not seen
            for pool in answer["pools"]:
                moments.append(
                    Moment(
                        round(loop.time() - began_s, 1),
                        pool["active"],
                        pool["desired_replicas"],
                        there(),
                        pool["workers"],
                    )
                )
            await asyncio.sleep(EVERY_S)


def steps(moments: list[Moment]) -> list[Moment]:
    """The moments at which another number of workers was asked for, the first one included."""
    return [now for at, now in enumerate(moments) if at == 0 or moments[at - 1].there != now.there]
