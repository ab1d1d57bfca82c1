"""Node for tests: the packages of tests/javascript, installed once, and programs run with them."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = Path(__file__).parent / "javascript"
_MODULES = PACKAGES / "node_modules"


def packages() -> Path:
    """The folder of installed packages. Blocking: `npm ci` takes a while the first time."""
    lock = PACKAGES / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = _MODULES / ".installed"
    with lock.open("rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # tests that run side by side
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            npm("ci", "--no-audit", "--no-fund", "--prefer-offline")
            stamp.write_text(wanted, encoding="utf-8")
    return _MODULES


def npm(*arguments: str, cwd: Path = PACKAGES) -> str:
    """What an npm command prints."""
    program = shutil.which("npm")
    assert program is not None, "npm is needed (Debian: apt install npm)"
    done = subprocess.run([program, *arguments], cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def node(*arguments: str, cwd: Path = PACKAGES, env: dict[str, str] | None = None) -> str:
    """What a program prints; it must end well."""
    await asyncio.to_thread(packages)
    process = await asyncio.create_subprocess_exec(
        "node",
        *arguments,
        cwd=cwd,
        env=os.environ | (env or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, f"{printed.decode()[-8000:]}\n{complaints.decode()[-4000:]}"
    return printed.decode()


async def script(code: str, folder: Path, *arguments: str) -> str:
    """What a module prints that imports packages of tests/javascript."""
    link = folder / "node_modules"
    if not link.exists():
        link.symlink_to(await asyncio.to_thread(packages))
    path = folder / "program.mjs"
    path.write_text(code, encoding="utf-8")
    return await node(str(path), *arguments, cwd=folder)
