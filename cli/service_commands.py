"""`rattil up`, `gateway`, `worker` and `router`: run a whole service here, or one part of it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from cli import preflight
from cli.embedded_redis import MAX_MEMORY_MB
from cli.failure import fail
from cli.processes import PortInUse
from cli.recite import Exit
from cli.stack import ANY_ROUTER_PORT, LOOPBACK, Counts, Plan, Ports
from cli.up import up as run_up
from shared.pools import parse_pools

SERVICES = {"gateway": "gateway", "worker": "asr_worker", "router": "session_router"}
"""Command to Python package: `rattil gateway` is `python -m gateway`."""

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show all log lines of all parts.")]


def up(
    host: Annotated[str, typer.Option(envvar="HOST", help="Address the gateways listen on.")] = LOOPBACK,
    port: Annotated[
        int, typer.Option(envvar="PORT", min=0, max=65535, help="First gateway's port; 0 = any free one.")
    ] = 8000,
    router_port: Annotated[
        int,
        typer.Option(
            envvar="ROUTER_PORT",
            min=-1,
            max=65535,
            show_default="8100, or any free one",
            help="First router's port; 0 = any free.",
        ),
    ] = ANY_ROUTER_PORT,
    gateways: Annotated[int, typer.Option(min=1, max=64, help="How many gateways.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many workers (in each pool).")] = 1,
    pool: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MODEL",
            show_default="POOLS, or one pool with ASR_MODEL",
            help="A pool of workers with a model of its own; repeat it for several models side by side.",
        ),
    ] = None,
    routers: Annotated[int, typer.Option(min=1, max=16, help="How many routers.")] = 1,
    redis: Annotated[int, typer.Option(min=1, max=16, help="How many embedded Redis shards.")] = 1,
    redis_url: Annotated[
        str, typer.Option(envvar="REDIS_URL", help="Use these Redis servers (comma-separated) instead.")
    ] = "",
    stream: Annotated[
        bool, typer.Option("--stream", help="Serve committed lines, too: TCP 43007, WebSocket 43008.")
    ] = False,
    redis_mb: Annotated[
        int,
        typer.Option(
            envvar="EMBEDDED_REDIS_MB",
            min=16,
            help="Memory of one embedded Redis, MB; new sessions are refused before it is used up.",
        ),
    ] = MAX_MEMORY_MB,
    verbose: Verbose = False,
) -> None:
    """Run a whole Rattil here: Redis, router, worker, gateway. Ctrl-C stops everything.

    Parts start in order, each waiting for the one before to be ready. A part that dies ends all.

    [bold]Examples[/]

      rattil up
      rattil up --port 9000 --verbose
      rattil up --gateways 2 --workers 2 --routers 2 --redis 2
      rattil up --pool fast=rattil-tiny --pool accurate=rattil-base
      REDIS_URL=redis://10.0.0.5:6379/0 HOST=0.0.0.0 rattil up
    """
    try:
        pools = parse_pools(",".join(pool) if pool else os.environ.get("POOLS", ""))
        counts = Counts(gateways, workers, routers, redis, len(pools) or 1)
        ports = Ports.fixed(counts, host, port, router_port)
    except ValueError as error:
        fail(f"--pool or POOLS: {error}", Exit.USAGE)
    except PortInUse as error:
        fail(str(error), Exit.USAGE)
    env = {"STREAM_ENABLED": "true"} if stream else {}
    plan = Plan(counts, ports, host, redis_url, env, redis_mb, pools)
    for warning in preflight.warnings(os.environ):
        Console(stderr=True).print(warning, style="yellow", markup=False, soft_wrap=True)
    found = asyncio.run(preflight.problems(plan))
    if found:
        fail("\n".join(found), Exit.USAGE)
    raise typer.Exit(asyncio.run(run_up(plan, Console(), verbose=verbose)))


def gateway(context: typer.Context) -> None:
    """Run one gateway: the WebSocket edge. Same as [bold]python -m gateway[/].

    Everything is set by environment variables: [bold]python -m gateway --help[/] lists them.

    [bold]Example[/]

      REDIS_URL=redis://127.0.0.1:6379/0 ROUTER_URL=http://127.0.0.1:8100 PORT=8000 rattil gateway
    """
    _become("gateway", context.args)


def worker(context: typer.Context) -> None:
    """Run one ASR worker: batches the segments of many sessions. Same as [bold]python -m asr_worker[/].

    Everything is set by environment variables: [bold]python -m asr_worker --help[/] lists them.

    [bold]Examples[/]

      REDIS_URL=redis://127.0.0.1:6379/0 rattil worker
      ASR_MODEL=/models/my-ct2-whisper ASR_DEVICE=cuda REDIS_URL=redis://10.0.0.5/0 rattil worker
    """
    _become("worker", context.args)


def router(context: typer.Context) -> None:
    """Run one session router: admission and capacity. Same as [bold]python -m session_router[/].

    Everything is set by environment variables: [bold]python -m session_router --help[/] lists them.

    [bold]Example[/]

      REDIS_URL=redis://127.0.0.1:6379/0 ROUTER_PORT=8100 rattil router
    """
    _become("router", context.args)


def _become(service: str, arguments: list[str]) -> NoReturn:
    """Replace this process by the service, so that signals and the exit code are its own."""
    os.execv(sys.executable, [sys.executable, "-m", SERVICES[service], *arguments])
