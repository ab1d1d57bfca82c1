"""A Python for clients of others that cannot be installed beside Rattil: made once, in tests/sdks/.venv."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.foreign_programs import install_once, printed

SDKS = Path(__file__).parent / "sdks"
_ENVIRONMENT = SDKS / ".venv"
PYTHON = _ENVIRONMENT / "bin" / "python"


def packages() -> Path:
    """The interpreter, with everything of requirements.txt. Blocking: this takes a while the first time."""
    install_once(SDKS / "requirements.txt", _ENVIRONMENT, _install, sys.version)
    return PYTHON


def _install() -> None:
    _own("-m", "venv", "--clear", "--without-pip", str(_ENVIRONMENT))
    into = ("--python", str(_ENVIRONMENT), "install", "--quiet", "--no-compile", "--no-deps")
    _own("-m", "pip", *into, "--requirement", str(SDKS / "requirements.txt"))


def _own(*arguments: str) -> None:
    """Run the Python of the tests; it must end well."""
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, (
        f"{done.stderr[-4000:]}\n(PyAudio: apt install portaudio19-dev gcc libc6-dev)"
    )


async def run(script: Path, *arguments: str, cwd: Path) -> str:
    """What a program prints; it must end well. It runs in the folder `cwd` and may write there."""
    python = await asyncio.to_thread(packages)
    return await printed(str(python), str(script), *arguments, cwd=cwd)
