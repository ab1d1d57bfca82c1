"""A Python for clients of others that cannot be installed beside Rattil: made once, in tests/sdks/.venv."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

SDKS = Path(__file__).parent / "sdks"
_ENVIRONMENT = SDKS / ".venv"
PYTHON = _ENVIRONMENT / "bin" / "python"


def packages() -> Path:
    """The interpreter, with everything of requirements.txt. Blocking: this takes a while the first time."""
    requirements = SDKS / "requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = _ENVIRONMENT / ".installed"
    with requirements.open("rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # tests that run side by side
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            _own("-m", "venv", "--clear", "--without-pip", str(_ENVIRONMENT))
            into = ("--python", str(_ENVIRONMENT), "install", "--quiet", "--no-compile", "--no-deps")
            _own("-m", "pip", *into, "--requirement", str(requirements))
            stamp.write_text(wanted, encoding="utf-8")
    return PYTHON


def _own(*arguments: str) -> None:
    """Run the Python of the tests; it must end well."""
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, (
        f"{done.stderr[-4000:]}\n(PyAudio: apt install portaudio19-dev gcc libc6-dev)"
    )


async def run(script: Path, *arguments: str, cwd: Path) -> str:
    """What a program prints; it must end well. It runs in the folder `cwd` and may write there."""
    python = await asyncio.to_thread(packages)
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(script),
        *arguments,
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, f"{printed.decode()[-8000:]}\n{complaints.decode()[-4000:]}"
    return printed.decode()
