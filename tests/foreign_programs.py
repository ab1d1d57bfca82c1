"""Programs of others for tests: their packages are installed once, and what they print is read."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path


def install_once(listed: Path, folder: Path, install: Callable[[], object], version: str = "") -> None:
    """Call `install`, unless `folder` holds the packages that `listed` names for this `version`.

    Blocking. Tests that run side by side wait for one another.
    """
    wanted = hashlib.sha256(listed.read_bytes() + version.encode()).hexdigest()
    stamp = folder / ".installed"
    with listed.open("rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            install()
            stamp.write_text(wanted, encoding="utf-8")


async def printed(program: str, *arguments: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """What a program prints; it must end well, and does not outlive the test."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        cwd=cwd,
        env=os.environ | (env or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, f"{said.decode()[-8000:]}\n{complaints.decode()[-4000:]}"
    return said.decode()
