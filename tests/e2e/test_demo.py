"""`rattil demo` as people run it: the main job of the whole system, on real processes and the real model."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "rattil-tiny" / "model.bin"
README = ROOT / "README.md"


def printed_in_readme() -> list[str]:
    """The lines of the demo that README shows, but for those that have a port and a time in them."""
    shown = README.read_text(encoding="utf-8").partition("`make demo` prints")[2].split("```")[1]
    return [line for line in shown.strip().splitlines() if "ready" not in line]


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MODEL.exists(), reason="the bundled model is not in models/"),
]


async def run_demo(*options: str) -> str:
    """What `rattil demo` prints; it must pass."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cli", "demo", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(110):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    text = output.decode()
    print(text)
    assert process.returncode == 0
    assert "demo passed" in text
    return text


async def test_the_demo_passes_in_real_time() -> None:
    text = await run_demo()
    for line in printed_in_readme():
        assert line in text, line


async def test_the_demo_passes_faster_than_real_time() -> None:
    assert "not passed" not in await run_demo("--fast")
