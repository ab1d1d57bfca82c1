"""The peers: how each is started, how its clients speak to it. Recipes for a CPU and a local model."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.machine import available_cores
from cli.parent_death import die_with_parent
from cli.ports import free_port

HERE = Path(__file__).parent
START_S = 90.0

Dialect = Literal["whisperlive", "whisperlivekit"]


@dataclass(frozen=True, slots=True)
class Peer:
    """One server to compare with."""

    name: str
    dialect: Dialect
    argv: tuple[str, ...]

    def command(self, python: Path, port: int, model: Path) -> list[str]:
        """The peer's own start, with its environment's Python and our port and model."""
        places = {"PYTHON": str(python), "BIN": str(python.parent), "PORT": str(port), "MODEL": str(model)}
        return [part.format(**places) for part in self.argv]


WHISPERLIVE = ("{PYTHON}", str(HERE / "whisperlive_server.py"), "{PORT}", "{MODEL}")
PEERS = (
    Peer("WhisperLive 0.10.0 (lock)", "whisperlive", (*WHISPERLIVE, "locked")),
    Peer("WhisperLive 0.10.0 (batched)", "whisperlive", (*WHISPERLIVE, "batched")),
    Peer(
        "WhisperLiveKit 0.2.26 (LocalAgreement)",
        "whisperlivekit",
        (
            "{BIN}/wlk",
            *("--backend", "faster-whisper", "--backend-policy", "localagreement"),
            *("--model_dir", "{MODEL}", "--lan", "ar", "--pcm-input", "--no-vac"),
            *("--host", "127.0.0.1", "--port", "{PORT}", "--warmup-file", ""),
        ),
    ),
)


def peers_python() -> Path | None:
    """The Python of the peers' environment (`PEERS_VENV`, or what `setup.sh` made), if it is there."""
    python = Path(os.environ.get("PEERS_VENV", HERE / ".venv")) / "bin" / "python"
    return python if python.exists() else None


@asynccontextmanager
async def serving(peer: Peer, python: Path, model: Path) -> AsyncIterator[tuple[int, int, Path]]:
    """Run the peer; yields its port, its process id and its log file."""
    port = free_port()
    threads = str(available_cores())
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1"}
    with tempfile.NamedTemporaryFile(prefix="peer-", suffix=".txt") as log:
        process = await asyncio.create_subprocess_exec(
            *peer.command(python, port, model),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        try:
            await _listening(port, process)
            yield port, process.pid, Path(log.name)
        finally:
            if process.returncode is None:
                process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    """Wait until somebody accepts connections. Raises `RuntimeError` if that does not happen."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + START_S
    while loop.time() < until_s and process.returncode is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.2)
    raise RuntimeError(f"the peer did not start (status {process.returncode})")
