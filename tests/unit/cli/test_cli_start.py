"""Ctrl-C while the command is still being imported: it ends, and prints nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

SLOW_IMPORT = """
import signal
print("importing", signal.getsignal(signal.SIGINT).name, flush=True)
signal.pause()
"""
"""Stands for a package whose import takes long: the first one that the commands need."""
STARTS = [("-m", "cli", "verses", "1:1"), ("-c", "from cli.start import main; main()", "recite", "-")]
ROOT = Path(__file__).parents[3]


async def _importing(folder: Path, *arguments: str, ignored: bool = False) -> asyncio.subprocess.Process:
    (folder / "typer.py").write_text(SLOW_IMPORT)
    path = os.pathsep.join([str(folder), str(ROOT)])
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL),
    )


@pytest.mark.parametrize("arguments", STARTS, ids=["module", "script"])
async def test_ctrl_c_during_the_import_ends_it_without_a_word(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    process = await _importing(tmp_path, *arguments)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"importing SIG_DFL\n"
    process.send_signal(signal.SIGINT)
    said, complained = await process.communicate()
    assert (process.returncode, said, complained) == (-signal.SIGINT, b"", b"")


async def test_where_interrupts_are_ignored_they_stay_so(tmp_path: Path) -> None:
    """As for a command that a script runs in the background."""
    process = await _importing(tmp_path, *STARTS[0], ignored=True)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"importing SIG_IGN\n"
    process.send_signal(signal.SIGINT)
    process.terminate()
    await process.communicate()
    assert process.returncode == -signal.SIGTERM


async def test_an_address_of_another_kind_is_wrong_usage() -> None:
    """Exit status 1 would mean that the recitation had mistakes."""
    command = ("-m", "cli", "recite", "-", "--verse", "1:1", "--url", "ftp://x")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    _, complained = await process.communicate()
    assert process.returncode == 2
    assert b"ftp://x" in complained
    assert b"Traceback" not in complained
