"""Every HTTP route of a running gateway, called with what /openapi.json allows and with what it does not.

Schemathesis reads the document from the gateway and invents the calls: none may end in a fault of the
service, and every answer must be one of those that the document names, in its shape.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from cli.ports import free_port
from gateway.description.operations import OPERATIONS

PROGRAM = Path(sys.executable).parent / "schemathesis"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = 12
"""Calls that are invented for each operation, beside those at the bounds of each parameter."""

pytestmark = pytest.mark.slow


@asynccontextmanager
async def gateway(redis_url: str, samples: Path) -> AsyncIterator[str]:
    """One gateway process; there is no router and no worker, so that uploads end in a 503."""
    port = free_port()
    settings = {
        "REDIS_URL": redis_url,
        "PORT": str(port),
        "VERIFY_TIMEOUT_S": "1",
        "DEMO_SAMPLES": str(samples),
        "LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=dict(os.environ) | settings
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await answering(url)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def answering(url: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(60):
        while True:
            try:
                await http.get(f"{url}/health")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def calls(url: str, *options: str) -> tuple[int, str]:
    """The exit status of Schemathesis and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "run", f"{url}/openapi.json", "--phases", "examples,coverage,fuzzing"),
        *("--checks", CHECKS, "--max-examples", str(EXAMPLES), "--seed", "7", "--workers", "1"),
        *("--generation-database", "none", "--request-timeout", "20", "--no-color", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.timeout(300)
async def test_every_answer_is_one_that_the_document_names(redis_url: str, tmp_path: Path) -> None:
    async with gateway(redis_url, tmp_path) as url:
        status, said = await calls(url)
        alive = await asyncio.to_thread(httpx.get, f"{url}/health")
    assert status == 0, said[-6000:]
    # It does not call the document itself.
    assert f"Tested: {len(OPERATIONS) - 1}\n" in said
    assert alive.json() == {"status": "ok", "connections": 0}
