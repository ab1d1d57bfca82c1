"""Node for tests: the packages of tests/javascript, installed once, and programs run with them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

from tests.foreign_programs import install_once, printed

PACKAGES = Path(__file__).parent / "javascript"
_MODULES = PACKAGES / "node_modules"


def packages() -> Path:
    """The folder of installed packages. Blocking: `npm ci` takes a while the first time."""
    install_once(PACKAGES / "package-lock.json", _MODULES, _install)
    return _MODULES


def _install() -> None:
    npm("ci", "--no-audit", "--no-fund", "--prefer-offline")


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
    return await printed("node", *arguments, cwd=cwd, env=env)


async def script(code: str, folder: Path, *arguments: str) -> str:
    """What a module prints that imports packages of tests/javascript."""
    link = folder / "node_modules"
    if not link.exists():
        link.symlink_to(await asyncio.to_thread(packages))
    path = folder / "program.mjs"
    path.write_text(code, encoding="utf-8")
    return await node(str(path), *arguments, cwd=folder)
